/* ISC licence, see LICENSE. */
#include "smtp/chunk.h"

#include <strings.h>

enum { DIGITS_MAX = 18 }; /* always fit in a long long */

int
chunk_parse(struct chunk *c, const char *arg, size_t len)
{
	size_t i;

	c->size = 0;
	for (i = 0; i < len && arg[i] >= '0' && arg[i] <= '9' && i < DIGITS_MAX; i++)
		c->size = c->size * 10 + (arg[i] - '0');
	if (i == 0)
		return -1;
	c->last = len - i == 5 && strncasecmp(arg + i, " LAST", 5) == 0;
	return c->last || i == len ? 0 : -1;
}

size_t
chunk_take(long long *left, size_t n)
{
	if (*left < (long long)n)
		n = (size_t)*left;
	*left -= (long long)n;
	return n;
}
