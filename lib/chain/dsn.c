/* ISC licence, see LICENSE. */
#include "chain/dsn.h"
#include "smtp/param.h"

#include <string.h>
#include <strings.h>

#include "smtp/cap.h"

static bool
is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

unsigned
dsn_notify(const struct envelope_line *rcpt)
{
	const char *value;
	unsigned wanted = 0;
	size_t len, part;

	if (!envelope_param(rcpt, "NOTIFY", &value, &len) || !value)
		return DSN_FAILURE | DSN_DELAY;
	for (;;) {
		for (part = 0; part < len && value[part] != ','; part++)
			;
		wanted |= is_word(value, part, "SUCCESS") ? DSN_SUCCESS :
		    is_word(value, part, "FAILURE")       ? DSN_FAILURE :
		    is_word(value, part, "DELAY")         ? DSN_DELAY :
		                                            0;
		if (part == len)
			return wanted;
		value += part + 1;
		len -= part + 1;
	}
}

bool
dsn_wants_full(const struct envelope_line *mail)
{
	const char *value;
	size_t len;

	return envelope_param(mail, "RET", &value, &len) && value && is_word(value, len, "FULL");
}

/* Returns the value of an upper-case hexadecimal digit (RFC 3461 4 allows no other), or -1. */
static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
dsn_decode(struct buf *out, const char *xtext, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = xtext[i];

		if (c == '+' && len - i > 2 && hex(xtext[i + 1]) >= 0 && hex(xtext[i + 2]) >= 0) {
			c = (char)(hex(xtext[i + 1]) * 16 + hex(xtext[i + 2]));
			i += 2;
			if ((unsigned char)c > '~') /* xtext stands for ASCII; UTF-8 addresses have another encoding */
				c = '?';
		}
		if ((unsigned char)c < ' ' || c == 127)
			c = '?';
		if (buf_add(out, &c, 1) < 0)
			return -1;
	}
	return 0;
}

/* Append c as xtext, or as RFC 6533 3 has it for an address with UTF-8. Returns 0, or -1 with errno set (ENOMEM). */
static int
encode(struct buf *out, char c, bool utf8)
{
	bool plain = (c > ' ' && c <= '~' && c != '+' && c != '=') || (unsigned char)c > 127;

	if (plain && !(utf8 && c == '\\'))
		return buf_add(out, &c, 1);
	return buf_printf(out, utf8 ? "\\x{%02X}" : "+%02X", (unsigned char)c);
}

int
dsn_add_orcpt(struct buf *out, const char *path, size_t n)
{
	struct buf b = { 0 };
	bool utf8 = false;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		utf8 |= (unsigned char)path[i] > 127;
	r = buf_puts(&b, utf8 ? "utf-8;" : "rfc822;");
	for (i = 0; r == 0 && i < n; i++)
		r = encode(&b, path[i], utf8);
	if (r == 0 && param_check(PARAM_ORCPT, b.p, b.len) == 0)
		r = buf_printf(out, " ORCPT=%s", b.p);
	buf_free(&b);
	return r;
}

/*
 * Append a line without its DSN parameters; out may be NULL. Returns 1 if the line had some, 0 if not, or -1 with errno
 * set (ENOMEM).
 */
static int
strip(struct buf *out, const struct envelope_line *line)
{
	const char *s = line->params, *end, *key, *value;
	size_t keylen, valuelen;
	int found = 0;

	if (!s)
		return !out || buf_printf(out, "%s\n", line->text) == 0 ? 0 : -1;
	if (out && buf_add(out, line->text, (size_t)(line->path - line->text) + line->path_len + 1) < 0)
		return -1;
	end = s + strlen(s);
	while (param_next(&s, end, &key, &keylen, &value, &valuelen) > 0) {
		size_t n = value ? (size_t)(value - key) + valuelen : keylen;

		if (param_cap(param_find(key, keylen, PARAM_OF_MAIL | PARAM_OF_RCPT)) & CAP_DSN)
			found = 1;
		else if (out && (buf_puts(out, " ") < 0 || buf_add(out, key, n) < 0))
			return -1;
	}
	return !out || buf_puts(out, "\n") == 0 ? found : -1;
}

bool
dsn_is_asked(const struct envelope *e)
{
	bool asked = strip(NULL, &e->mail) > 0;
	size_t i;

	for (i = 0; i < e->nrcpt + e->ncopy && !asked; i++)
		asked = strip(NULL, &e->rcpt[i]) > 0;
	return asked;
}

int
dsn_strip(struct buf *out, const struct envelope *e)
{
	size_t i;

	if (strip(out, &e->mail) < 0)
		return -1;
	for (i = 0; i < e->nrcpt + e->ncopy; i++)
		if (strip(out, &e->rcpt[i]) < 0)
			return -1;
	return 0;
}
