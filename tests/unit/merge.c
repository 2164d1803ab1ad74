/* ISC licence, see LICENSE. */
#include "mail/merge.h"

#include <stdio.h>
#include <stdlib.h>

#include "mail/header.h"
#include "unit.h"

/* A line is a header; the names of the merged fields and the new header are printed after it. */
int
unit_merge(int argc, char **argv)
{
	char *line, *raw;
	size_t len;

	(void)argc;
	(void)argv;
	while ((line = unit_line(&len, &raw))) {
		struct buf out = { 0 };
		uint32_t merged;
		int r = merge_lists(&out, line, len, "\r\n", &merged);

		printf("%s =>", raw);
		if (r <= 0)
			printf(r < 0 ? " (error)" : " same");
		else {
			printf("%s%s ", merged >> FIELD_TO & 1 ? " To" : "", merged >> FIELD_CC & 1 ? " Cc" : "");
			unit_show(out.p, out.len);
		}
		putchar('\n');
		buf_free(&out);
		free(line);
		free(raw);
	}
	return 0;
}
