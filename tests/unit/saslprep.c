/* ISC licence, see LICENSE. */
#include "auth/saslprep.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* "input => the prepared form", or "not", for each line of input. */
int
unit_saslprep(int argc, char **argv)
{
	char out[SASLPREP_MAX], *s, *raw;
	ssize_t r;
	size_t n;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, &raw))) {
		r = saslprep(out, s, n);
		printf("%s => ", raw);
		if (r < 0)
			fputs("not", stdout);
		else
			unit_show(out, (size_t)r);
		putchar('\n');
		free(s);
		free(raw);
	}
	return 0;
}
