/* ISC licence, see LICENSE. */
#include "tlsd/veil.h"

#include <stdint.h>
#include <string.h>

#include "tlsd/starttls.h"

enum {
	HEAD = sizeof "250-STARTTLS", /* octets that show whether a line is the offer: the keyword and what ends it */
	WAIT_MAX = 2048,              /* octets of a line without an end that are held back; RFC 5321 4.5.3.1.5 allows 512 */
};

static const size_t none = SIZE_MAX;

/* The n octets at s begin with text, or may do so once more of them have come. */
static bool
may_begin(const char *s, size_t n, const char *text)
{
	size_t len = strlen(text);

	return memcmp(s, text, n < len ? n : len) == 0;
}

static bool
is_offer(const char *s, size_t n)
{
	return n > 4 && memcmp(s, "250", 3) == 0 && (s[3] == '-' || s[3] == ' ') && starttls_is_keyword(s + 4, n - 4);
}

/* Put what is held back in front of b. Nothing is kept for it: a connection that waits shall be small. */
static int
join(struct veil *v, struct buf *b)
{
	size_t n = v->held.len;

	if (n == 0)
		return 0;
	if (buf_room(b, n) < 0)
		return -1;
	memmove(b->p + n, b->p, b->len);
	memcpy(b->p, v->held.p, n);
	b->len += n;
	buf_free(&v->held);
	return 0;
}

static int
hold(struct veil *v, const char *p, size_t n)
{
	return n > 0 ? buf_add(&v->held, p, n) : 0;
}

int
veil_pass(struct veil *v, struct buf *b, bool end)
{
	size_t in = 0, out = 0;
	size_t list = none; /* where in the output the last line of an unfinished list begins */

	if (join(v, b) < 0)
		return -1;
	while (in < b->len) {
		char *s = b->p + in;
		const char *lf = memchr(s, '\n', b->len - in);
		size_t n = lf ? (size_t)(lf - s) + 1 : b->len - in;

		if (!v->middle) {
			bool listed = may_begin(s, n, "250-");

			if (!lf && !end && ((listed && n < WAIT_MAX) || (list != none && n < HEAD && may_begin(s, n, "250 "))))
				break;
			v->middle = true;
			v->dropping = list != none && is_offer(s, n);
			if (!v->dropping)
				list = listed && lf ? out : none;
			else if (s[3] == ' ') {
				b->p[list + 3] = ' ';
				list = none;
			}
		}
		if (!v->dropping) {
			if (out < in)
				memmove(b->p + out, s, n);
			out += n;
		}
		in += n;
		if (lf)
			v->middle = v->dropping = false;
	}
	if (list == none || end)
		list = out;
	if (hold(v, b->p + list, out - list) < 0 || hold(v, b->p + in, b->len - in) < 0)
		return -1;
	b->len = list;
	return 0;
}

void
veil_free(struct veil *v)
{
	buf_free(&v->held);
	*v = (struct veil){ 0 };
}
