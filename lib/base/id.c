/* ISC licence, see LICENSE. */
#include "base/id.h"

#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

/* Crockford's alphabet in lower case: 32 digits in ASCII order, without i, l, o and u, which are easily misread. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void
put(char *p, int n, uint64_t value)
{
	while (n-- > 0) {
		p[n] = digits[value & 31];
		value >>= 5;
	}
}

void
id_make(char id[ID_MAX])
{
	uint64_t random;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (os_random(&random, sizeof random) < 0)
		random = (uint64_t)ts.tv_nsec << 20 ^ (uint64_t)getpid();
	put(id, 7, (uint64_t)ts.tv_sec);
	put(id + 7, 7, random);
	id[14] = '\0';
}
