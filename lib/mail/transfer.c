/* ISC licence, see LICENSE. */
#include "mail/transfer.h"

#include <string.h>

#include "base/base64.h"

enum { LINE = 75 }; /* octets of a line, and then "=" */

static const char *
line_end(const struct transfer *t)
{
	return t->lf ? "\n" : "\r\n";
}

/* Base64 */

static int
group(struct transfer *t, struct buf *out)
{
	if (t->held == 0)
		return 0;
	if (t->column > 0 && buf_puts(out, line_end(t)) < 0)
		return -1;
	t->column = 1; /* a line stands there, without its end */
	if (base64_encode(out, t->hold, t->held) < 0)
		return -1;
	t->held = 0;
	return 0;
}

static int
add_base64(struct transfer *t, struct buf *out, const char *p, size_t n)
{
	while (n > 0) {
		size_t room = TRANSFER_GROUP - t->held, k = n < room ? n : room;

		memcpy(t->hold + t->held, p, k);
		t->held += k;
		p += k;
		n -= k;
		if (t->held == TRANSFER_GROUP && group(t, out) < 0)
			return -1;
	}
	return 0;
}

/* The same, with each LF as CR LF. */
static int
add_base64_text(struct transfer *t, struct buf *out, const char *p, size_t n)
{
	const char *lf;

	while ((lf = memchr(p, '\n', n))) {
		if (add_base64(t, out, p, (size_t)(lf - p)) < 0 || add_base64(t, out, "\r\n", 2) < 0)
			return -1;
		n -= (size_t)(lf + 1 - p);
		p = lf + 1;
	}
	return add_base64(t, out, p, n);
}

/* Quoted-printable */

/* Write the octet c, as it is if plain is set. */
static int
write_octet(struct transfer *t, struct buf *out, char c, bool plain)
{
	static const char hex[] = "0123456789ABCDEF";
	const char code[3] = { '=', hex[(unsigned char)c >> 4], hex[c & 15] };
	size_t n;

	if (t->column + (plain ? 1 : 3) > LINE) {
		if (buf_puts(out, "=") < 0 || buf_puts(out, line_end(t)) < 0)
			return -1;
		t->column = 0;
	}
	if (t->column == 0 && c == '-')
		plain = false; /* so no line becomes a delimiter */
	n = plain ? 1 : 3;
	t->column += n;
	return buf_add(out, plain ? &c : code, n);
}

/* Write the octets that are held; plain: as they are. */
static int
write_held(struct transfer *t, struct buf *out, bool plain)
{
	size_t i;

	for (i = 0; i < t->held; i++)
		if (write_octet(t, out, t->hold[i], plain && t->hold[i] != '\r') < 0)
			return -1;
	t->held = 0;
	return 0;
}

/* What is held is white space that may end a line, one octet of it, and a CR that may belong to a line end. */
static int
add_quoted(struct transfer *t, struct buf *out, char c)
{
	bool cr = t->held > 0 && t->hold[t->held - 1] == '\r';

	if (c == '\n' && (cr || t->lf)) {
		t->held -= cr;
		if (write_held(t, out, false) < 0 || buf_puts(out, line_end(t)) < 0)
			return -1;
		t->column = 0;
		return 0;
	}
	if (c != '\r' || cr || t->lf) {
		if (write_held(t, out, true) < 0)
			return -1;
	}
	if (c == ' ' || c == '\t' || (c == '\r' && !t->lf)) {
		t->hold[t->held++] = c;
		return 0;
	}
	return write_octet(t, out, c, c > ' ' && c <= '~' && c != '=');
}

int
transfer_add(struct transfer *t, struct buf *out, const char *p, size_t n)
{
	size_t i;
	int r = 0;

	if (t->encoding == TRANSFER_BASE64)
		return t->lf && t->is_text ? add_base64_text(t, out, p, n) : add_base64(t, out, p, n);
	for (i = 0; r == 0 && i < n; i++)
		r = add_quoted(t, out, p[i]);
	return r;
}

int
transfer_end(struct transfer *t, struct buf *out, bool ends)
{
	if (t->encoding == TRANSFER_BASE64) {
		if (group(t, out) < 0)
			return -1;
	} else {
		if (write_held(t, out, false) < 0)
			return -1;
		if (ends && t->column > 0 && buf_puts(out, "=") < 0) /* a line end that decoders drop */
			return -1;
	}
	return ends && t->column > 0 ? buf_puts(out, line_end(t)) : 0;
}
