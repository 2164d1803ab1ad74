/* ISC licence, see LICENSE. */
#include "stage/next.h"

#include <string.h>

#include "stage/instance.h"

struct next
next_parse(char *const argv[])
{
	struct next next = { .how = NEXT_EXEC, .argv = argv };

	if (!argv[0])
		next.how = NEXT_NONE;
	else if (strcmp(argv[0], "call") == 0 && argv[1] && !argv[2]) {
		next.how = NEXT_CALL;
		next.path = argv[1];
	}
	return next;
}

void
next_idle(const struct next *next)
{
	for (; next->how == NEXT_INNER; next = &next->inner->next)
		if (next->inner->stage->idle)
			next->inner->stage->idle(next->inner->conf);
}

int
next_idle_s(const struct next *next)
{
	int least = 0;

	for (; next->how == NEXT_INNER; next = &next->inner->next) {
		int s = next->inner->stage->idle ? next->inner->idle_s : 0;

		if (s > 0 && (least == 0 || s < least))
			least = s;
	}
	return least;
}
