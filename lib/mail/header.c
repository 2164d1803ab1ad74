/* ISC licence, see LICENSE. */
#include "mail/header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HEADER_FIRST_READ = 4096 }; /* most headers fit */

#define FIELD_ROW(symbol, name, syntax, once) { name, sizeof name - 1, syntax, once },
static const struct {
	const char *name;
	size_t len;
	enum field_syntax syntax;
	bool once;
} fields[FIELD_COUNT] = { { "", 0, FIELD_OPAQUE, false }, FIELD_TABLE(FIELD_ROW) };
#undef FIELD_ROW

const char *
field_name(enum field_id id)
{
	return fields[id].name;
}

enum field_syntax
field_syntax(enum field_id id)
{
	return fields[id].syntax;
}

bool
field_is_once(enum field_id id)
{
	return fields[id].once;
}

bool
field_is_resent(enum field_id id)
{
	return strncmp(fields[id].name, "Resent-", 7) == 0;
}

/*
 * Returns the offset of the empty line that ends the header, or n + 1 if there is none yet. *line is the start of the
 * line to examine first; it moves to the line to examine when more of the text is there.
 */
static size_t
find_end(const char *text, size_t n, size_t *line)
{
	const char *lf;

	while ((lf = memchr(text + *line, '\n', n - *line))) {
		size_t end = (size_t)(lf - text);

		if (end == *line || (end == *line + 1 && text[*line] == '\r'))
			return *line;
		*line = end + 1;
	}
	return n + 1;
}

/* Set h->bare, and h->crlf unless the header is empty. */
static void
examine_line_ends(struct header *h)
{
	const char *text = h->text.p, *end = text + h->text.len, *line, *next;

	for (line = text; line < end; line = next) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		const char *cr = memchr(line, '\r', (size_t)((lf ? lf : end) - line));

		if (cr ? cr + 1 != lf : lf != NULL)
			h->bare = true;
		if (line == text)
			h->crlf = lf && lf > text && lf[-1] == '\r';
		next = lf ? lf + 1 : end;
	}
}

enum header_result
header_read(struct header *h, int fd, size_t max)
{
	struct buf *b = &h->text;
	size_t line = 0, end;

	for (;;) {
		size_t want = b->len ? b->len : HEADER_FIRST_READ;
		ssize_t r;

		if (want > max + 2 - b->len)
			want = max + 2 - b->len; /* with room for the empty line */
		if (want == 0)
			return HEADER_LONG;
		if (buf_room(b, want) < 0)
			return HEADER_ERROR;
		r = pread(fd, b->p + b->len, want, (off_t)b->len);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return HEADER_ERROR;
		b->len += (size_t)r;
		end = find_end(b->p, b->len, &line);
		if (end <= b->len || r == 0)
			break;
	}
	if (end < b->len) {
		h->crlf = b->p[end] == '\r'; /* counts only where the header has no line */
		h->bare |= !h->crlf;
		b->len = end;
	}
	b->p[b->len] = '\0';
	if (b->len > max)
		return HEADER_LONG;
	examine_line_ends(h);
	return HEADER_OK;
}

void
header_free(struct header *h)
{
	buf_free(&h->text);
	*h = (struct header){ 0 };
}

static enum field_id
identify(const char *name, size_t n)
{
	int id;

	for (id = FIELD_OTHER + 1; id < FIELD_COUNT; id++)
		if (fields[id].len == n && strncasecmp(fields[id].name, name, n) == 0)
			return (enum field_id)id;
	return FIELD_OTHER;
}

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Returns the start of the line after the one at pos. */
static size_t
line_next(const char *text, size_t n, size_t pos)
{
	const char *lf = memchr(text + pos, '\n', n - pos);

	return lf ? (size_t)(lf - text) + 1 : n;
}

int
header_next(const char *text, size_t n, size_t *pos, struct field *f)
{
	size_t i = *pos;

	*f = (struct field){ .name = i };
	if (i >= n)
		return 0;
	f->next = *pos = line_next(text, n, i);
	while (i < n && text[i] > ' ' && text[i] <= '~' && text[i] != ':') /* RFC 5322 3.6.8: ftext */
		i++;
	f->name_end = i;
	while (i < n && is_wsp(text[i]))
		i++;
	if (f->name_end == f->name || i >= n || text[i] != ':')
		return -1;
	f->value = i + 1;
	while (f->next < n && is_wsp(text[f->next]))
		f->next = line_next(text, n, f->next);
	*pos = f->end = f->next;
	if (text[f->end - 1] == '\n')
		f->end -= f->end - 1 > f->value && text[f->end - 2] == '\r' ? 2 : 1;
	f->id = identify(text + f->name, f->name_end - f->name);
	return 1;
}

bool
field_is(const char *text, const struct field *f, const char *name)
{
	size_t n = f->name_end - f->name;

	return strlen(name) == n && strncasecmp(text + f->name, name, n) == 0;
}

struct field
field_trim(const char *text, struct field f)
{
	while (f.value < f.end && memchr(" \t\r\n", text[f.value], 4))
		f.value++;
	while (f.end > f.value && memchr(" \t\r\n", text[f.end - 1], 4))
		f.end--;
	return f;
}

bool
field_is_same(const char *text, struct field a, struct field b)
{
	a = field_trim(text, a);
	b = field_trim(text, b);
	return a.end - a.value == b.end - b.value && memcmp(text + a.value, text + b.value, a.end - a.value) == 0;
}

int
header_is_there(int fd)
{
	struct header h = { 0 };
	enum header_result result = header_read(&h, fd, HEADER_MAX);
	struct field f;
	size_t pos = 0;
	int r = result == HEADER_ERROR ? -1 : header_next(h.text.p, h.text.len, &pos, &f) > 0, e = errno;

	header_free(&h);
	errno = e;
	return r;
}

bool
header_joins(const struct header *h)
{
	return h->text.len > 0 && is_wsp(h->text.p[0]);
}

int
header_would_join(int fd)
{
	char first;
	ssize_t r;

	do
		r = pread(fd, &first, 1, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : r == 1 && is_wsp(first);
}

size_t
header_line(const char *text, size_t pos)
{
	size_t line = 1, i;

	for (i = 0; i < pos; i++)
		line += text[i] == '\n';
	return line;
}
