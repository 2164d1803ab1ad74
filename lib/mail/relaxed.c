/* ISC licence, see LICENSE. */
#include "mail/relaxed.h"

#include <string.h>

int
relaxed_field(struct buf *out, const char *text, const struct field *f)
{
	bool blank = false;
	size_t i, start;
	char *p;

	/* What is written is never longer than the field: the white space that goes makes room for the CR LF. */
	if (buf_room(out, f->end - f->name + 3) < 0)
		return -1;
	p = out->p + out->len;
	for (i = f->name; i < f->name_end; i++)
		*p++ = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
	*p++ = ':';
	for (i = f->value, start = (size_t)(p - out->p); i < f->end; i++) {
		if (text[i] == '\r' || text[i] == '\n') /* folding */
			continue;
		if (text[i] == ' ' || text[i] == '\t') {
			blank = true;
			continue;
		}
		if (blank && (size_t)(p - out->p) > start)
			*p++ = ' ';
		blank = false;
		*p++ = text[i];
	}
	*p++ = '\r';
	*p++ = '\n';
	*p = '\0';
	out->len = (size_t)(p - out->p);
	return 0;
}

static int
flush(struct relaxed_body *b)
{
	size_t n = b->n;

	b->n = 0;
	return n > 0 ? b->put(b->arg, b->out, n) : 0;
}

static int
put(struct relaxed_body *b, const char *p, size_t n)
{
	while (n > 0) {
		size_t room = sizeof b->out - b->n, part = n < room ? n : room;

		memcpy(b->out + b->n, p, part);
		b->n += part;
		p += part;
		n -= part;
		if (b->n == sizeof b->out && flush(b) < 0)
			return -1;
	}
	return 0;
}

/* Text follows: what was kept back counts. */
static int
put_kept(struct relaxed_body *b)
{
	for (; b->ends > 0; b->ends--)
		if (put(b, "\r\n", 2) < 0)
			return -1;
	if (b->blank && put(b, " ", 1) < 0)
		return -1;
	if (b->cr && put(b, "\r", 1) < 0)
		return -1;
	b->blank = b->cr = false;
	b->text = true;
	return 0;
}

static bool
is_plain(char c)
{
	return (unsigned char)c > ' ' || (c != ' ' && c != '\t' && c != '\r' && c != '\n');
}

/* Returns the length of the text at p, which begins with a plain octet, up to what may not count as it is. */
static size_t
span(const char *p, size_t n)
{
	size_t i;

	for (i = 1; i < n && (is_plain(p[i]) || (p[i] == ' ' && i + 1 < n && is_plain(p[i + 1]))); i++)
		;
	return i;
}

int
relaxed_body_add(struct relaxed_body *b, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end) {
		if (*p == '\n' && (b->cr || b->lf)) {
			b->ends++;
			b->blank = b->cr = false;
			p++;
			continue;
		}
		if (b->cr && put_kept(b) < 0) /* that CR was none of a line end */
			return -1;
		if (*p == ' ' || *p == '\t') {
			b->blank = true;
			p++;
		} else if (*p == '\r') {
			b->cr = true;
			p++;
		} else {
			n = *p == '\n' ? 1 : span(p, (size_t)(end - p));
			if (put_kept(b) < 0 || put(b, p, n) < 0)
				return -1;
			p += n;
		}
	}
	return 0;
}

int
relaxed_body_end(struct relaxed_body *b)
{
	if (b->cr && put_kept(b) < 0)
		return -1;
	if (b->text && put(b, "\r\n", 2) < 0) /* the last line has a line end, and no empty line follows */
		return -1;
	return flush(b);
}
