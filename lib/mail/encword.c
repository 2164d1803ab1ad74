/* ISC licence, see LICENSE. */
#include "mail/encword.h"

#include <string.h>

#include "base/base64.h"

enum {
	SHORTEST = 8, /* octets: a character set of one letter, no text */
	FRAME = 7,    /* octets besides the character set and the text */
};

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32; /* mail programs write both cases */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode the "Q" encoding, RFC 2047 4.2. Returns as encword_decode. */
static ssize_t
decode_q(char *out, const char *s, size_t n)
{
	size_t len = 0, i;

	for (i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] > '~')
			return -1;
		if (s[i] != '=') {
			out[len++] = s[i] == '_' ? ' ' : s[i];
			continue;
		}
		if (n - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
			return -1;
		out[len++] = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
		i += 2;
	}
	return (ssize_t)len;
}

ssize_t
encword_decode(char *out, const char *s, size_t n, struct charset *set)
{
	const char *end, *encoding, *text;

	if (n < SHORTEST || memcmp(s, "=?", 2) != 0 || memcmp(s + n - 2, "?=", 2) != 0)
		return -1;
	end = s + n - 2;
	s += 2;
	encoding = memchr(s, '?', (size_t)(end - s));
	if (!encoding || end - encoding < 3 || encoding[2] != '?')
		return -1;
	text = encoding + 3;
	if (memchr(text, '?', (size_t)(end - text)))
		return -1;
	*set = charset_find(s, (size_t)(encoding - s));
	switch (encoding[1]) {
	case 'B':
	case 'b':
		return base64_decode(out, text, (size_t)(end - text));
	case 'Q':
	case 'q':
		return decode_q(out, text, (size_t)(end - text));
	default:
		return -1;
	}
}

/* RFC 2047 5 (3): the octets that may stand for themselves in a word of a phrase. */
static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!*+-/", c));
}

static size_t
quoted_len(char c)
{
	return is_plain(c) || c == ' ' ? 1 : 3;
}

/* Returns the length of the character at text, as far as UTF-8 tells; 1 for any other octet. */
static size_t
char_len(const char *text, size_t n)
{
	size_t len = 1;

	if ((unsigned char)*text >= 0xc0)
		while (len < n && len < 4 && (unsigned char)text[len] >> 6 == 2)
			len++;
	return len;
}

/* Append the "Q" encoding, RFC 2047 4.2. */
static int
add_q(struct buf *out, const char *text, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		r = is_plain(text[i]) ? buf_add(out, text + i, 1) :
		    text[i] == ' '    ? buf_add(out, "_", 1) :
		                        buf_printf(out, "=%02X", (unsigned)(unsigned char)text[i]);
	return r;
}

ssize_t
encword_add(struct buf *out, const char *text, size_t n, const char *charset, size_t max)
{
	size_t frame = strlen(charset) + FRAME, room = max > frame ? max - frame : 0;
	size_t q = 0, q_len = 0, b = 0, len, i;
	int r;

	for (i = 0; i < n; i += len) {
		size_t more = 0, k;

		len = char_len(text + i, n - i);
		for (k = 0; k < len; k++)
			more += quoted_len(text[i + k]);
		if (q == i && q_len + more <= room) {
			q = i + len;
			q_len += more;
		}
		if ((i + len + 2) / 3 * 4 > room)
			break;
		b = i + len;
	}
	if (q == 0 && b == 0)
		return 0;
	if (q > b || (q == b && q_len <= (b + 2) / 3 * 4)) {
		r = buf_printf(out, "=?%s?Q?", charset);
		r = r < 0 || add_q(out, text, q) < 0 ? -1 : buf_puts(out, "?=");
		return r < 0 ? -1 : (ssize_t)q;
	}
	r = buf_printf(out, "=?%s?B?", charset);
	r = r < 0 || base64_encode(out, text, b) < 0 ? -1 : buf_puts(out, "?=");
	return r < 0 ? -1 : (ssize_t)b;
}

size_t
encword_column(const struct buf *b)
{
	size_t i = b->len;

	while (i > 0 && b->p[i - 1] != '\n')
		i--;
	return b->len - i;
}
