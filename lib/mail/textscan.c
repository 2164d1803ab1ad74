/* ISC licence, see LICENSE. */
#include "mail/textscan.h"

#include <string.h>

#include "base/file.h"

enum { SCAN = 16 }; /* octets looked at together */

/* What n octets tell, and the one before them: p[-1]. SCAN of them side by side, which compilers make a vector of. */
static void
look_at_part(struct textscan *t, const unsigned char *p, size_t n)
{
	unsigned char high[SCAN] = { 0 }, bare[SCAN] = { 0 }, dot[SCAN] = { 0 };
	size_t i;

	for (; n >= SCAN; n -= SCAN, p += SCAN)
		for (i = 0; i < SCAN; i++) {
			high[i] |= p[i];
			bare[i] |= (unsigned char)((p[i] == '\n') ^ (p[i - 1] == '\r'));
			dot[i] |= (unsigned char)((p[i] == '.') & (p[i - 1] == '\n'));
		}
	for (i = 0; i < n; i++) {
		high[i] |= p[i];
		bare[i] |= (unsigned char)((p[i] == '\n') ^ (p[i - 1] == '\r'));
		dot[i] |= (unsigned char)((p[i] == '.') & (p[i - 1] == '\n'));
	}
	for (i = 0; i < SCAN; i++) {
		t->is_8bit |= high[i] > 127;
		t->is_bare |= bare[i];
		t->is_dotted |= dot[i];
	}
}

int
textscan_look(struct textscan *t, struct buf *b, int fd, off_t size)
{
	off_t off = 0;
	char last = '\n'; /* before the text it counts as LF, so an LF at its start is bare too */

	*t = (struct textscan){ 0 };
	buf_clear(b);
	if (buf_room(b, 1 + (size < TEXTSCAN_BLOCK ? (size_t)size : TEXTSCAN_BLOCK)) < 0)
		return -1;
	while (off < size) {
		size_t n = size - off < TEXTSCAN_BLOCK ? (size_t)(size - off) : TEXTSCAN_BLOCK;

		b->p[0] = last;
		if (file_read(fd, b->p + 1, n, off) < 0)
			return -1;
		look_at_part(t, (unsigned char *)b->p + 1, n);
		last = b->p[n];
		off += (off_t)n;
		b->len = 1 + n;
	}
	t->is_here = size <= TEXTSCAN_BLOCK && size > 0;
	t->is_bare |= last == '\r';
	t->no_end = last != '\n';
	return 0;
}

int
textscan_stuff(struct buf *out, const char *p, size_t n, char *before)
{
	const char *start = p, *end = p + n, *dot;

	while ((dot = memchr(p, '.', (size_t)(end - p)))) {
		p = dot + 1;
		if ((dot > start ? dot[-1] : *before) != '\n')
			continue;
		if (buf_add(out, start, (size_t)(p - start)) < 0)
			return -1;
		start = dot; /* which is written once more with what follows */
	}
	if (n > 0)
		*before = end[-1];
	return buf_add(out, start, (size_t)(end - start));
}
