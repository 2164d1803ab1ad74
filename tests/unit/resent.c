/* ISC licence, see LICENSE. */
#include "mail/resent.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* A blind field is removed, and so is Return-Path. */
static bool
removes(void *arg, const struct field *f)
{
	(void)arg;
	return field_syntax(f->id) == FIELD_BLIND || f->id == FIELD_RETURN_PATH;
}

/*
 * A line is a header, in which each blank ends a line; it must not have other blanks. The numbers of the fields of the
 * client's block are printed after it, and "end" with the number of the field that the block ends with.
 */
int
unit_resent(int argc, char **argv)
{
	static const struct resent_caller caller = { .removes = removes };
	char *line, *raw;
	size_t len, i;

	(void)argc;
	(void)argv;
	while ((line = unit_line(&len, &raw))) {
		struct resent block;
		struct field f;
		size_t pos = 0, number = 0;

		for (i = 0; i < len; i++)
			if (line[i] == ' ')
				line[i] = '\n';
		block = resent_find(line, len, &caller);
		printf("%s =>", raw);
		while (header_next(line, len, &pos, &f) != 0) {
			number++;
			if (resent_has(&block, &f))
				printf(" %zu", number);
			if (f.next == block.end)
				printf(" end");
		}
		puts(block.end ? "" : " none");
		free(line);
		free(raw);
	}
	return 0;
}
