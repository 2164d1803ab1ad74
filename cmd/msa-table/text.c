/* ISC licence, see LICENSE. */
#include "text.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Returns true if s[0..n) begins with a backslash and three octal digits of one octet. */
static bool
is_escape(const char *s, size_t n)
{
	return n >= 4 && *s == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
	    s[3] <= '7';
}

void
text_begin(struct text *t, const char *text, size_t n, bool raw)
{
	*t = (struct text){ .p = text, .n = n, .line = 1, .raw = raw };
}

/* Look at the next line: *line, of *n octets without its end and the blanks before that. Returns all its octets. */
static size_t
look(const struct text *t, const char **line, size_t *n)
{
	const char *lf = memchr(t->p, '\n', t->n);
	size_t all = lf ? (size_t)(lf - t->p) + 1 : t->n;

	*line = t->p;
	*n = all - (lf ? 1 : 0);
	if (*n > 0 && t->p[*n - 1] == '\r')
		--*n;
	while (*n > 0 && is_blank(t->p[*n - 1]))
		--*n;
	return all;
}

static void
skip(struct text *t, size_t all)
{
	t->p += all;
	t->n -= all;
	t->line++;
}

/* Returns true if the line says nothing: a "#" may stand behind blanks. */
static bool
is_comment(const char *line, size_t n)
{
	while (n > 0 && is_blank(*line)) {
		line++;
		n--;
	}
	return n == 0 || *line == '#';
}

/* Append s[0..n) with each escape as the octet that it is. Returns 0, or -1 with errno set (ENOMEM). */
static int
add_plain(struct buf *b, const char *s, size_t n, bool raw)
{
	char c;

	for (; n > 0; s++, n--) {
		c = *s;
		if (!raw && is_escape(s, n)) {
			c = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
			n -= 3;
		}
		if (buf_add(b, &c, 1) < 0)
			return -1;
	}
	return 0;
}

/* Append a line that goes on with the value. Returns NULL, or what is wrong. */
static const char *
add_line(struct text *t, const char *line, size_t n)
{
	while (is_blank(*line)) {
		line++;
		n--;
	}
	if (memchr(line, '\0', n))
		return "a NUL";
	return (t->value.len > 0 && buf_add(&t->value, " ", 1) < 0) || add_plain(&t->value, line, n, t->raw) < 0 ?
	    "out of memory" : NULL;
}

/* Read the lines that go on with a record; after a mistake they are only skipped. Returns 0, or -1: t->why is set. */
static int
add_more(struct text *t, struct record *r)
{
	const char *line;
	size_t n, all;

	for (; t->n > 0; skip(t, all)) {
		all = look(t, &line, &n);
		if (is_comment(line, n))
			continue;
		if (!is_blank(*line))
			break;
		if (t->why)
			continue;
		t->why = add_line(t, line, n);
		if (t->why)
			r->line = t->line;
	}
	return t->why ? -1 : 0;
}

int
text_next(struct text *t, struct record *r)
{
	const char *line = t->p, *value;
	size_t n = 0, all = 0, key_len = 0;

	for (; t->n > 0; skip(t, all)) {
		all = look(t, &line, &n);
		if (!is_comment(line, n))
			break;
	}
	if (t->n == 0)
		return 0;
	r->line = t->line;
	skip(t, all);
	t->why = is_blank(*line) ? "a line that begins with a blank goes on with a record, and none is before it" :
	    memchr(line, '\0', n) ? "a NUL" : NULL;
	if (t->why)
		return add_more(t, r);
	while (key_len < n && !is_blank(line[key_len]))
		key_len++;
	value = line + key_len;
	while (value < line + n && is_blank(*value))
		value++;
	buf_clear(&t->key);
	buf_clear(&t->value);
	if (buf_puts(&t->key, "") < 0 || buf_puts(&t->value, "") < 0 || add_plain(&t->key, line, key_len, t->raw) < 0 ||
	    add_plain(&t->value, value, (size_t)(line + n - value), t->raw) < 0) {
		t->why = "out of memory";
	}
	if (add_more(t, r) < 0)
		return -1;
	r->key = t->key.p;
	r->key_len = t->key.len;
	r->value = t->value.p;
	r->value_len = t->value.len;
	return 1;
}

void
text_free(struct text *t)
{
	buf_free(&t->key);
	buf_free(&t->value);
}

/* Append s[0..n) so that add_plain makes it of the result, whatever stands around it. Returns as add_plain. */
static int
add_escaped(struct buf *b, const char *s, size_t n, bool is_key)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		unsigned char c = (unsigned char)s[i];
		bool special = c < ' ' || c == 127 || (c == ' ' && (is_key || i == 0 || i == n - 1)) ||
		    (c == '#' && is_key && i == 0) || is_escape(s + i, n - i);

		r = special ? buf_printf(b, "\\%03o", c) : buf_add(b, s + i, 1);
	}
	return r;
}

int
text_add(struct buf *b, const struct record *r)
{
	return add_escaped(b, r->key, r->key_len, true) < 0 ||
	    (r->value_len > 0 && (buf_add(b, " ", 1) < 0 || add_escaped(b, r->value, r->value_len, false) < 0)) ||
	    buf_add(b, "\n", 1) < 0 ? -1 : 0;
}
