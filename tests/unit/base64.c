/* ISC licence, see LICENSE. */
#include "base/base64.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* For each line: what it is in base64, and what it decodes to if it is base64 ("no" otherwise). */
int
unit_base64(int argc, char **argv)
{
	char *s, *raw;
	size_t n;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, &raw))) {
		struct buf b = { 0 };
		ssize_t m;

		if (base64_encode(&b, s, n) < 0)
			return 1;
		m = base64_decode(s, s, n);
		printf("%s => %s ", raw, b.p);
		if (m < 0)
			printf("no");
		else
			unit_show(s, (size_t)m);
		printf(".\n");
		buf_free(&b);
		free(s);
		free(raw);
	}
	return 0;
}
