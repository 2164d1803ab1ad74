/* ISC licence, see LICENSE. */
#include "mail/relaxed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/taglist.h"
#include "unit.h"

static int
show(void *arg, const char *p, size_t n)
{
	(void)arg;
	unit_show(p, n);
	return 0;
}

static int
take(void *arg, const char *p, size_t n)
{
	return buf_add(arg, p, n);
}

/* The canonical body, given in pieces of step octets. */
static void
body(const char *text, size_t n, size_t step, bool lf)
{
	struct buf out = { 0 };
	struct relaxed_body b = { .put = take, .arg = &out, .lf = lf };
	size_t i;

	for (i = 0; i < n; i += step)
		if (relaxed_body_add(&b, text + i, n - i < step ? n - i : step) < 0)
			return;
	if (relaxed_body_end(&b) == 0)
		show(NULL, out.p ? out.p : "", out.len);
	buf_free(&out);
}

static void
fields(const char *text, size_t n)
{
	struct buf out = { 0 };
	struct field f;
	size_t pos = 0;

	while (header_next(text, n, &pos, &f) == 1)
		if (relaxed_field(&out, text, &f) < 0)
			return;
	show(NULL, out.p ? out.p : "", out.len);
	buf_free(&out);
}

static void
tag(const char *text, size_t n)
{
	char value[8];

	printf(taglist_find(text, 0, n, "d", value, sizeof value) ? "(%s)" : "none", value);
}

/*
 * Each line is a header (field), a body (body, or lf, where LF ends a line; n octets come at once), or a list of tags
 * of which d is looked for (tag). Prints the line, then what becomes of it.
 * usage: relaxed field | body n | lf n | tag
 */
int
unit_relaxed(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	size_t len, step = argc > 2 ? (size_t)atoi(argv[2]) : 1;
	char *line, *raw;

	while ((line = unit_line(&len, &raw))) {
		printf("%s => ", raw);
		if (strcmp(how, "field") == 0)
			fields(line, len);
		else if (strcmp(how, "tag") == 0)
			tag(line, len);
		else
			body(line, len, step, strcmp(how, "lf") == 0);
		putchar('\n');
		free(line);
		free(raw);
	}
	return 0;
}
