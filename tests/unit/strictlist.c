/* ISC licence, see LICENSE. */
#include "mail/strictlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/*
 * Each line is the value of a field. Prints the line, then the addresses with commas between them, or the reason in
 * parentheses. usage: strictlist [-p]; -p: with any punctuation in encoded words
 */
int
unit_strictlist(int argc, char **argv)
{
	enum strictlist_result r;
	struct strictlist list;
	struct addr a;
	size_t len;
	char *line, *raw;

	while ((line = unit_line(&len, &raw))) {
		char out[4096] = "";

		printf("%s => ", raw);
		free(raw);

		strictlist_begin(&list, line, 0, len);
		list.any_punctuation = argc > 1 && strcmp(argv[1], "-p") == 0;
		while ((r = strictlist_next(&list, &a)) == STRICTLIST_BOX)
			snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", *out ? "," : "", a.text);
		if (r == STRICTLIST_BAD)
			printf("(%s)\n", list.why);
		else {
			unit_show(out, strlen(out));
			putchar('\n');
		}
		free(line);
	}
	return 0;
}
