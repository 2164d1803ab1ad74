/* ISC licence, see LICENSE. */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_encode(struct buf *out, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t len = (n + 2) / 3 * 4;
	char *to;

	if (buf_room(out, len) < 0)
		return -1;
	to = out->p + out->len;
	for (; n > 0; p += 3, to += 4) {
		size_t have = n < 3 ? n : 3;
		uint32_t group = (uint32_t)p[0] << 16 | (have > 1 ? (uint32_t)p[1] << 8 : 0) | (have > 2 ? p[2] : 0u);

		to[0] = alphabet[group >> 18];
		to[1] = alphabet[group >> 12 & 63];
		to[2] = have > 1 ? alphabet[group >> 6 & 63] : '=';
		to[3] = have > 2 ? alphabet[group & 63] : '=';
		n -= have;
	}
	out->len += len;
	out->p[out->len] = '\0';
	return 0;
}

static int
digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

ssize_t
base64_decode(void *out, const char *s, size_t n)
{
	unsigned char *to = out;
	size_t i, pad = 0;

	if (n % 4 != 0)
		return -1;
	if (n > 0 && s[n - 1] == '=')
		pad = s[n - 2] == '=' ? 2 : 1;
	for (i = 0; i < n; i += 4) {
		size_t have = i + 4 == n ? 4 - pad : 4, j;
		uint32_t group = 0;

		for (j = 0; j < 4; j++) {
			int d = j < have ? digit(s[i + j]) : 0;

			if (d < 0)
				return -1;
			group = group << 6 | (uint32_t)d;
		}
		if ((have == 2 && group & 0xffff) || (have == 3 && group & 0xff))
			return -1;
		*to++ = (unsigned char)(group >> 16);
		if (have > 2)
			*to++ = (unsigned char)(group >> 8);
		if (have > 3)
			*to++ = (unsigned char)group;
	}
	return to - (unsigned char *)out;
}
