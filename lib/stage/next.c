/* ISC licence, see LICENSE. */
#include "stage/next.h"

#include <string.h>

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
