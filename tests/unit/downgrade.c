/* ISC licence, see LICENSE. */
#include "mail/downgrade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/*
 * usage: downgrade [letters]; u keeps UTF-8, c text is in iso-8859-1 if it is not UTF-8. A line is a header, and what
 * becomes of it is printed after it.
 */
int
unit_downgrade(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	char *line, *raw;
	size_t len;

	while ((line = unit_line(&len, &raw))) {
		struct downgrade d = { .keeps_utf8 = strchr(how, 'u') != NULL, .charset = strchr(how, 'c') ? "iso-8859-1" : NULL,
			.eol = "\r\n" };

		printf("%s => ", raw);
		switch (downgrade(&d, line, len)) {
		case DOWNGRADE_SAME:
			printf("same");
			break;
		case DOWNGRADE_CHANGED:
			unit_show(d.text.p, d.text.len);
			break;
		case DOWNGRADE_REFUSED:
			printf("(%s)", d.why.p);
			break;
		case DOWNGRADE_ADDRESS:
			printf("(5.6.7 %s)", d.why.p);
			break;
		case DOWNGRADE_ERROR:
			printf("(error)");
			break;
		}
		putchar('\n');
		downgrade_free(&d);
		free(line);
		free(raw);
	}
	return 0;
}
