/* ISC licence, see LICENSE. */
#include "value.h"

#include <string.h>

const char *
value_line(const struct buf *value, size_t *at, size_t *n)
{
	const char *line = value->p + *at, *lf;

	if (*at >= value->len)
		return NULL;
	lf = memchr(line, '\n', value->len - *at);
	*n = lf ? (size_t)(lf - line) : value->len - *at;
	*at += *n + (lf != NULL);
	return line;
}

/* Append the line, with its LF. */
static int
copy(struct buf *value, const char *line, size_t n)
{
	return buf_add(value, line, n) < 0 || buf_puts(value, "\n") < 0 ? -1 : 0;
}

static bool
has_label(const char *line, size_t n, const char *label)
{
	size_t l = strlen(label);

	return n > l && memcmp(line, label, l) == 0 && line[l] == ':';
}

int
value_delete(struct buf *value, const struct buf *old, const char *label, bool *found)
{
	const char *line;
	size_t at = 0, n;

	while ((line = value_line(old, &at, &n)))
		if (has_label(line, n, label))
			*found = true;
		else if (copy(value, line, n) < 0)
			return -1;
	return 0;
}

int
value_set(struct buf *value, const struct buf *old, const char *label, const char *credential)
{
	const char *line;
	size_t at = 0, n;
	bool done = false, there = false;

	while ((line = value_line(old, &at, &n)))
		there |= has_label(line, n, label);
	for (at = 0; (line = value_line(old, &at, &n));) {
		bool first = *line != '!' && !there && strcmp(label, "main") == 0;

		if (!done && (first || has_label(line, n, label))) {
			done = true;
			if (buf_printf(value, "%s:%s\n", label, credential) < 0)
				return -1;
		}
		if (!has_label(line, n, label) && copy(value, line, n) < 0)
			return -1;
	}
	return done ? 0 : buf_printf(value, "%s:%s\n", label, credential);
}

int
value_lock(struct buf *value, const struct buf *old, bool locked)
{
	const char *line;
	size_t at = 0, n;

	if (locked && buf_puts(value, "!\n") < 0)
		return -1;
	while ((line = value_line(old, &at, &n)))
		if (*line != '!' && copy(value, line, n) < 0)
			return -1;
	return 0;
}
