/* ISC licence, see LICENSE. */
#include "smtp/reply.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/lineio.h"

static const struct {
	int code;
	const char *enhanced;
	const char *text;
} table[REPLY_COUNT] = {
#define REPLY_ROW(symbol, code, enhanced, text) [symbol] = { code, enhanced, text },
	REPLY_TABLE(REPLY_ROW)
#undef REPLY_ROW
};

int
reply_code(enum reply r)
{
	return table[r].code;
}

enum reply
reply_of_errno(int error)
{
	if (error == ENOMEM)
		return REPLY_NO_MEMORY;
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? REPLY_STORAGE : REPLY_LOCAL_ERROR;
}

const char *
reply_enhanced(enum reply r)
{
	return table[r].enhanced;
}

const char *
reply_text(enum reply r)
{
	return table[r].text;
}

int
reply_add(struct buf *out, enum reply r)
{
	return reply_addf(out, r, "%s", table[r].text);
}

int
reply_add_to(struct buf *out, enum verb v, enum reply r)
{
	if (v != VERB_EHLO && v != VERB_HELO && v != VERB_LHLO)
		return reply_add(out, r);
	return buf_printf(out, "%d %s\r\n", table[r].code, table[r].text);
}

int
reply_addf(struct buf *out, enum reply r, const char *fmt, ...)
{
	size_t was = out->len;
	va_list ap;
	int failed;

	failed = buf_printf(out, "%d %s%s", table[r].code, table[r].enhanced, *table[r].enhanced ? " " : "") < 0;
	if (!failed) {
		va_start(ap, fmt);
		failed = buf_vprintf(out, fmt, ap) < 0;
		va_end(ap);
	}
	if (failed || buf_add(out, "\r\n", 2) < 0) {
		out->len = was;
		return -1;
	}
	return 0;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
reply_line(const char *line, size_t len, int *code, bool *last, const char **text, size_t *textlen)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
		return false;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return false;
	*code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	*last = len == 3 || line[3] == ' ';
	*text = line + (len > 3 ? 4 : 3);
	*textlen = len > 3 ? len - 4 : 0;
	return true;
}

ssize_t
reply_whole(const char *p, size_t n, int *code)
{
	size_t at = 0, len, textlen;
	const char *lf, *text;
	bool last = false;
	int first = 0;

	while (!last && at < n && (lf = memchr(p + at, '\n', n - at))) {
		len = (size_t)(lf - p) - at;
		if (len > 0 && lf[-1] == '\r')
			len--;
		if (!reply_line(p + at, len, code, &last, &text, &textlen) || (first && *code != first))
			return -1;
		first = *code;
		at = (size_t)(lf - p) + 1;
	}
	return last ? (ssize_t)at : 0;
}

/* The length of an enhanced status code (RFC 3463 2) of the given class at the start of s; 0: none. */
static size_t
enhanced_len(const char *s, size_t n, int class)
{
	size_t i = 2, start;
	int part;

	if (n < 5 || s[0] != '0' + class || s[1] != '.')
		return 0;
	for (part = 0; part < 2; part++) {
		start = i;
		while (i < n && is_digit(s[i]))
			i++;
		if (i == start || i - start > 3)
			return 0;
		if (part == 0 && (i >= n || s[i++] != '.'))
			return 0;
	}
	return i == n || s[i] == ' ' ? i : 0;
}

int
reply_take(struct reply_foreign *r, int code, const char *text, size_t textlen)
{
	size_t have = r->text ? strlen(r->text) : 0, skip, i;
	bool first = !r->text;
	char *p;

	if (!first && code != r->code) {
		errno = EINVAL;
		return -1;
	}
	if (have + 1 >= REPLY_TEXT_MAX) /* full: each further line would still add its LF */
		return 0;
	skip = enhanced_len(text, textlen, code / 100);
	if (skip > 0 && !*r->enhanced)
		snprintf(r->enhanced, sizeof r->enhanced, "%.*s", (int)skip, text);
	if (skip < textlen && skip > 0)
		skip++; /* its space */
	text += skip;
	textlen -= skip;
	if (have + textlen + 1 > REPLY_TEXT_MAX)
		textlen = REPLY_TEXT_MAX - have - 1;
	p = realloc(r->text, have + textlen + 2);
	if (!p)
		return -1;
	r->text = p;
	r->code = code;
	if (!first)
		p[have++] = '\n';
	for (i = 0; i < textlen; i++) /* RFC 5321 4.2: printable US-ASCII, SP, HT */
		p[have + i] = (text[i] >= ' ' && text[i] <= '~') || text[i] == '\t' ? text[i] : '?';
	p[have + textlen] = '\0';
	return 0;
}

int
reply_add_foreign(struct buf *out, const struct reply_foreign *r)
{
	const char *line = r->text ? r->text : "", *lf;
	char enhanced[12];
	size_t was = out->len, len, most;
	bool last;

	if (*r->enhanced)
		snprintf(enhanced, sizeof enhanced, "%s", r->enhanced);
	else
		snprintf(enhanced, sizeof enhanced, "%u.0.0", (unsigned)r->code / 100 % 10);
	do {
		lf = strchr(line, '\n');
		len = lf ? (size_t)(lf - line) : strlen(line);
		most = (size_t)LINE_REPLY_MAX - 2 - 4 - strlen(enhanced) - 1;
		last = len <= most && !lf;
		if (len > most) { /* continue on another line */
			len = most;
			lf = line + len - 1;
		}
		if (buf_printf(out, "%03d%c%s %.*s\r\n", r->code, last ? ' ' : '-', enhanced, (int)len, line) < 0) {
			out->len = was;
			return -1;
		}
		line = lf ? lf + 1 : "";
	} while (!last);
	return 0;
}

int
reply_set(struct reply_foreign *to, enum reply r, const char *text)
{
	*to = (struct reply_foreign){ .code = table[r].code };
	snprintf(to->enhanced, sizeof to->enhanced, "%s", table[r].enhanced);
	to->text = strdup(text ? text : table[r].text);
	return to->text ? 0 : -1;
}

int
reply_copy(struct reply_foreign *to, const struct reply_foreign *from)
{
	*to = *from;
	to->text = strdup(from->text ? from->text : "");
	return to->text ? 0 : -1;
}

/* Give r another code, and quote the old reply in the text. Returns 0, or -1 with errno set (ENOMEM). */
static int
quote(struct reply_foreign *r, int code, const char *enhanced)
{
	struct buf b = { 0 };
	char *p;

	if (buf_printf(&b, "The next server said: %d %s%s%s", r->code, r->enhanced, *r->enhanced ? " " : "",
	        r->text ? r->text : "") < 0) {
		buf_free(&b);
		return -1;
	}
	p = b.p;
	free(r->text);
	r->text = p;
	r->code = code;
	snprintf(r->enhanced, sizeof r->enhanced, "%s", enhanced);
	return 0;
}

const char *
reply_show(const struct reply_foreign *r, char line[REPLY_SHOWN_MAX])
{
	const char *text = r->text ? r->text : "";

	snprintf(line, REPLY_SHOWN_MAX, "%d%s%s%s%.*s", r->code, *r->enhanced ? " " : "", r->enhanced, *text ? " " : "",
	    REPLY_SHOWN_TEXT, text);
	return line;
}

size_t
reply_fact(const struct reply_foreign *r)
{
	const char *text = r->text ? r->text : "", *advice;
	int i;

	for (i = 0; i < REPLY_COUNT; i++)
		if (strcmp(text, reply_text((enum reply)i)) == 0 &&
		    ((advice = strstr(text, ", try again")) || (advice = strstr(text, "; try again"))))
			return (size_t)(advice - text);
	return strlen(text);
}

int
reply_translate(struct reply_foreign *r)
{
	int class = r->code / 100;

	if (r->code == 421 || class == 3)
		return quote(r, 451, "4.3.0");
	if (r->code == 521 || r->code / 10 == 50 || r->code / 10 == 53)
		return quote(r, 554, "5.3.0");
	return 0;
}

void
reply_foreign_free(struct reply_foreign *r)
{
	free(r->text);
	*r = (struct reply_foreign){ 0 };
}
