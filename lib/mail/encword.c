/* ISC licence, see LICENSE. */
#include "mail/encword.h"

#include <string.h>

#include "base/base64.h"

enum { SHORTEST = 8 }; /* octets: a character set of one letter, no text */

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
