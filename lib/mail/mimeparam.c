/* ISC licence, see LICENSE. */
#include "mail/mimeparam.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "mail/addrlist.h"
#include "mail/encword.h"
#include "smtp/addr.h"

enum { LINE = 76 }; /* octets, as lines with encoded words have them (RFC 2047 2) */

/* Offsets into the text. */
struct param {
	size_t semicolon;          /* before the parameter */
	size_t name, name_end;
	size_t value, value_end;   /* within the quotes, if there are any */
	size_t end;                /* behind the value and its quote */
	bool is_8bit, is_quoted;
};

struct params {
	const char *text;
	size_t pos, end;
	struct param v[MIMEPARAM_MAX];
	size_t n;
};

static bool
has_8bit(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && (unsigned char)p[i] < 128; i++)
		;
	return i < n;
}

static char
peek(const struct params *p)
{
	return p->pos < p->end ? p->text[p->pos] : '\0';
}

static bool
skip(struct params *p)
{
	return addrlist_skip_cfws(p->text, &p->pos, p->end);
}

/* Skip a token (RFC 2045 5.1) and what stands behind it. Returns false if there is none. */
static bool
skip_token(struct params *p, size_t *begin, size_t *end)
{
	*begin = p->pos;
	while (peek(p) > ' ' && peek(p) <= '~' && !strchr("()<>@,;:\\\"/[]?=", peek(p)))
		p->pos++;
	*end = p->pos;
	return *end > *begin && skip(p);
}

/* Read the quoted string at p->pos. Returns false if it has no end, a control character, or a quoted line end. */
static bool
read_quoted(struct params *p, struct param *param)
{
	param->is_quoted = true;
	param->value = ++p->pos;
	for (; peek(p) != '"'; p->pos++) {
		char c = peek(p);

		if (c == '\\') {
			p->pos++;
			c = peek(p);
			if (c == '\r' || c == '\n')
				return false;
		}
		if (c == '\0' || c == '\177' || (c > '\0' && c < ' ' && !strchr("\t\r\n", c)))
			return false;
	}
	param->value_end = p->pos++;
	return true;
}

/*
 * Read a value without quotes. One in ASCII may have signs that a token may not have, as mail programs write it; with
 * octets over 127, only those that mean nothing else. Returns false if there is no value, or one that is not clear.
 */
static bool
read_bare(struct params *p, struct param *param)
{
	param->value = p->pos;
	while (peek(p) && !strchr("; \t\r\n(\"", peek(p)))
		p->pos++;
	param->value_end = p->pos;
	if (param->value == param->value_end)
		return false;
	if (!has_8bit(p->text + param->value, param->value_end - param->value))
		return true;
	for (p->pos = param->value; p->pos < param->value_end; p->pos++)
		if ((peek(p) > '\0' && peek(p) < ' ') || peek(p) == '\177' || strchr(")<>,\\", peek(p)))
			return false;
	return true;
}

/* Read the parameter behind the semicolon, where there may be none. Returns false if what stands there is not one. */
static bool
read_param(struct params *p)
{
	struct param param = { .semicolon = p->pos++ };

	if (!skip(p))
		return false;
	if (p->pos == p->end || peek(p) == ';')
		return true;
	if (p->n == MIMEPARAM_MAX || !skip_token(p, &param.name, &param.name_end) || peek(p) != '=')
		return false;
	p->pos++;
	if (!skip(p) || !(peek(p) == '"' ? read_quoted(p, &param) : read_bare(p, &param)))
		return false;
	param.end = p->pos;
	param.is_8bit = has_8bit(p->text + param.value, param.value_end - param.value);
	p->v[p->n++] = param;
	return skip(p) && (p->pos == p->end || peek(p) == ';');
}

/* Read the whole field: a type or disposition, and parameters. */
static bool
read_params(struct params *p)
{
	size_t begin, end;

	if (!skip(p) || !skip_token(p, &begin, &end))
		return false;
	if (peek(p) == '/') {
		p->pos++;
		if (!skip(p) || !skip_token(p, &begin, &end))
			return false;
	}
	while (p->pos < p->end)
		if (peek(p) != ';' || !read_param(p))
			return false;
	return true;
}

/* Octets of the name without what RFC 2231 adds to it. */
static size_t
name_len(const struct params *p, const struct param *param)
{
	const char *name = p->text + param->name, *star = memchr(name, '*', param->name_end - param->name);

	return star ? (size_t)(star - name) : param->name_end - param->name;
}

/* Does the value begin with a character set and a language, as RFC 2231 4 wants it: charset'language'text? */
static bool
has_charset(const struct params *p, const struct param *param)
{
	const char *value = p->text + param->value, *end = p->text + param->value_end, *quote;

	quote = memchr(value, '\'', (size_t)(end - value));
	return quote && memchr(quote + 1, '\'', (size_t)(end - quote - 1));
}

enum form {
	FORM_WHOLE, /* name* */
	FORM_FIRST, /* name*0, name*0* */
	FORM_PIECE, /* name*1 and so on, which means something after the first one only */
	FORM_OTHER,
};

/* Returns the form of RFC 2231 that the parameter has; its name without that has n octets. */
static enum form
form_of(const struct params *p, const struct param *param, size_t n)
{
	const char *number = p->text + param->name + n + 1, *end = p->text + param->name_end, *digit;

	if (number >= end)
		return number == end && has_charset(p, param) ? FORM_WHOLE : FORM_OTHER;
	if (end[-1] == '*')
		end--;
	for (digit = number; digit < end && *digit >= '0' && *digit <= '9'; digit++)
		;
	if (number == end || digit < end || (*number == '0' && end - number > 1))
		return FORM_OTHER;
	return *number == '0' ? FORM_FIRST : FORM_PIECE;
}

enum sibling { SIBLING_NONE, SIBLING_UNCLEAR, SIBLING_EXTENDED };

/*
 * Find out whether the parameter stands once more in the form of RFC 2231. Under the same name, or in a form that
 * readers understand differently or not at all, it is not clear which one counts.
 */
static enum sibling
find_sibling(const struct params *p, const struct param *param)
{
	size_t n = name_len(p, param), i;
	bool is_piece = false;
	enum sibling found = SIBLING_NONE;

	for (i = 0; i < p->n; i++) {
		const struct param *other = &p->v[i];
		enum form form;

		if (other == param || name_len(p, other) != n ||
		    strncasecmp(p->text + other->name, p->text + param->name, n) != 0)
			continue;
		form = form_of(p, other, n);
		if (form == FORM_OTHER || other->is_8bit)
			return SIBLING_UNCLEAR;
		if (form == FORM_PIECE)
			is_piece = true;
		else
			found = SIBLING_EXTENDED;
	}
	return found == SIBLING_NONE && is_piece ? SIBLING_UNCLEAR : found;
}

/* Append the value as it is meant: without backslashes that quote and line ends that fold. */
static int
add_plain(struct buf *b, const char *text, const struct param *param)
{
	size_t i;
	int r = 0;

	for (i = param->value; r == 0 && i < param->value_end; i++) {
		if (param->is_quoted && text[i] == '\\')
			i++;
		else if (text[i] == '\r' || text[i] == '\n')
			continue;
		r = buf_add(b, text + i, 1);
	}
	return r;
}

/* RFC 2231 7: the octets that stand for themselves. */
static bool
is_plain(char c)
{
	return c > ' ' && c <= '~' && !strchr("*'%()<>@,;:\\\"/[]?=", c);
}

/* Append p[0..n), or count the octets of it if b is NULL. Returns the octets, or -1 with errno set. */
static long
add_percent(struct buf *b, const char *p, size_t n)
{
	long octets = 0;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		octets += is_plain(p[i]) ? 1 : 3;
		if (b)
			r = is_plain(p[i]) ? buf_add(b, p + i, 1) : buf_printf(b, "%%%02X", (unsigned)(unsigned char)p[i]);
	}
	return r < 0 ? -1 : octets;
}

/* Begin a line, unless one begins there already. The white space before it goes. */
static int
begin_line(struct buf *out, const char *eol)
{
	while (out->len > 0 && (out->p[out->len - 1] == ' ' || out->p[out->len - 1] == '\t'))
		out->p[--out->len] = '\0';
	if (encword_column(out) > 0 && buf_puts(out, eol) < 0)
		return -1;
	return buf_puts(out, " ");
}

/* Append a parameter in pieces, each in a line of its own. No character of UTF-8 is cut. */
static int
add_pieces(struct buf *out, const char *name, size_t name_n, const char *value, size_t n, const char *charset,
    const char *eol)
{
	bool is_utf8 = strcmp(charset, "utf-8") == 0;
	unsigned number;
	size_t i, len;

	for (number = 0; n > 0; number++) {
		if ((number > 0 && (buf_puts(out, ";") < 0 || buf_puts(out, eol) < 0 || buf_puts(out, " ") < 0)) ||
		    buf_printf(out, "%.*s*%u*=", (int)name_n, name, number) < 0 ||
		    (number == 0 && buf_printf(out, "%s''", charset) < 0))
			return -1;
		for (i = 0; i < n; i += len) {
			for (len = 1; is_utf8 && i + len < n && (unsigned char)value[i + len] >> 6 == 2; len++)
				;
			if (i > 0 && encword_column(out) + (size_t)add_percent(NULL, value + i, len) + 1 > LINE)
				break;
			if (add_percent(out, value + i, len) < 0)
				return -1;
		}
		value += i;
		n -= i;
	}
	return 0;
}

/* Append a parameter in the form of RFC 2231. */
static int
add_extended(struct buf *out, const char *text, const struct param *param, const struct buf *value, const char *charset,
    const char *eol)
{
	const char *name = text + param->name;
	size_t name_n = param->name_end - param->name;
	size_t whole = name_n + strlen("*=") + strlen(charset) + strlen("'';") +
	    (size_t)add_percent(NULL, value->p, value->len);

	if (encword_column(out) + whole > LINE && begin_line(out, eol) < 0)
		return -1;
	if (whole + 1 > LINE)
		return add_pieces(out, name, name_n, value->p, value->len, charset, eol);
	return buf_printf(out, "%.*s*=%s''", (int)name_n, name, charset) < 0 ||
	    add_percent(out, value->p, value->len) < 0 ? -1 : 0;
}

/*
 * May the parameter get another form? A boundary may not: the same octets stand in the body. A name may not have the
 * signs that RFC 2231 7 gives a meaning.
 */
static bool
is_clear(const struct params *p, const struct param *param)
{
	static const char boundary[] = "boundary";
	const char *name = p->text + param->name;
	size_t n = param->name_end - param->name;

	return n <= MIMEPARAM_NAME_MAX && !memchr(name, '*', n) && !memchr(name, '\'', n) && !memchr(name, '%', n) &&
	    (n != strlen(boundary) || strncasecmp(name, boundary, n) != 0);
}

/* Append the parameter, which has octets over 127. */
static enum mimeparam_result
encode(struct buf *out, const struct params *p, const struct param *param, const char *charset, const char *eol)
{
	struct buf value = { 0 };
	int r;

	if (addr_is_utf8(p->text + param->value, param->value_end - param->value))
		charset = "utf-8";
	if (!charset)
		return MIMEPARAM_CHARSET;
	r = add_plain(&value, p->text, param);
	if (r == 0)
		r = add_extended(out, p->text, param, &value, charset, eol);
	buf_free(&value);
	return r < 0 ? MIMEPARAM_ERROR : MIMEPARAM_OK;
}

/* Append text[begin..end), in which no octet over 127 may stand. */
static enum mimeparam_result
add_between(struct buf *out, const char *text, size_t begin, size_t end)
{
	if (has_8bit(text + begin, end - begin))
		return MIMEPARAM_UNCLEAR;
	return buf_add(out, text + begin, end - begin) < 0 ? MIMEPARAM_ERROR : MIMEPARAM_OK;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Remove the white space before a parameter that is left out, if white space or nothing follows: no line is blank. */
static void
close_gap(struct buf *out, const char *text, size_t pos, size_t end)
{
	if (pos < end && !is_space(text[pos]))
		return;
	while (out->len > 0 && is_space(out->p[out->len - 1]))
		out->p[--out->len] = '\0';
}

enum mimeparam_result
mimeparam_encode(struct buf *out, const char *text, size_t begin, size_t end, const char *charset, const char *eol)
{
	struct params p = { .text = text, .pos = begin, .end = end };
	enum mimeparam_result r = MIMEPARAM_OK;
	size_t done = begin, i;

	if (!read_params(&p))
		return MIMEPARAM_UNCLEAR;
	for (i = 0; r == MIMEPARAM_OK && i < p.n; i++) {
		const struct param *param = &p.v[i];
		enum sibling sibling;

		if (!param->is_8bit)
			continue;
		sibling = find_sibling(&p, param);
		if (!is_clear(&p, param) || sibling == SIBLING_UNCLEAR)
			return MIMEPARAM_UNCLEAR;
		r = add_between(out, text, done, sibling == SIBLING_EXTENDED ? param->semicolon : param->name);
		if (r == MIMEPARAM_OK && sibling == SIBLING_NONE)
			r = encode(out, &p, param, charset, eol);
		else if (r == MIMEPARAM_OK)
			close_gap(out, text, param->end, end);
		done = param->end;
	}
	return r == MIMEPARAM_OK ? add_between(out, text, done, end) : r;
}
