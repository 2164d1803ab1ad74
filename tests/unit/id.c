/* ISC licence, see LICENSE. */
#include "base/id.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* Print N ids. */
int
unit_id(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;

	while (n-- > 0) {
		char id[ID_MAX];

		id_make(id);
		puts(id);
	}
	return 0;
}
