/* ISC licence, see LICENSE. */
#include "smtp/ehlo.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/param.h"

/* Keyword, bit, and the member of struct ehlo with its parameters (0: no such member). */
static const struct {
	const char *keyword;
	enum cap cap;
	size_t offset, cap_len;
} table[] = {
#define WITH(member) offsetof(struct ehlo, member), sizeof((struct ehlo *)0)->member
	{ "PIPELINING", CAP_PIPELINING, 0, 0 },
	{ "SIZE", CAP_SIZE, 0, 0 },
	{ "8BITMIME", CAP_8BITMIME, 0, 0 },
	{ "ENHANCEDSTATUSCODES", CAP_ENHANCEDSTATUSCODES, 0, 0 },
	{ "PRDR", CAP_PRDR, 0, 0 },
	{ "LIMITS", CAP_LIMITS, WITH(limits) },
	{ "CHUNKING", CAP_CHUNKING, 0, 0 },
	{ "BINARYMIME", CAP_BINARYMIME, 0, 0 },
	{ "DSN", CAP_DSN, 0, 0 },
	{ "SMTPUTF8", CAP_SMTPUTF8, 0, 0 },
	{ "DELIVERBY", CAP_DELIVERBY, WITH(deliverby) },
	{ "MT-PRIORITY", CAP_MT_PRIORITY, WITH(mt_priority) },
	{ "REQUIRETLS", CAP_REQUIRETLS, 0, 0 },
	{ "NO-SOLICITING", CAP_NO_SOLICITING, WITH(no_soliciting) },
	{ "FUTURERELEASE", CAP_FUTURERELEASE, WITH(futurerelease) },
	{ "MTRK", CAP_MTRK, 0, 0 },
	{ "STARTTLS", CAP_STARTTLS, 0, 0 },
	{ "AUTH", CAP_AUTH, WITH(auth) },
#undef WITH
};

enum { TABLE = sizeof table / sizeof *table };

/* Returns the index of the keyword in the table, or TABLE if it is unknown. */
static size_t
find(const char *keyword, size_t len)
{
	size_t i;

	for (i = 0; i < TABLE; i++)
		if (strlen(table[i].keyword) == len && strncasecmp(table[i].keyword, keyword, len) == 0)
			break;
	return i;
}

void
ehlo_take(struct ehlo *e, const char *text, size_t len)
{
	const bool is_old = len >= 5 && strncasecmp(text, "AUTH=", 5) == 0;
	size_t key = 0, i;

	if (is_old && e->caps & CAP_AUTH)
		return;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\r'))
		len--;
	while (key < len && text[key] != ' ' && !(is_old && text[key] == '='))
		key++;
	i = find(text, key);
	if (i == TABLE)
		return;
	e->caps |= table[i].cap;
	text += key;
	len -= key;
	while (len > 0 && (*text == ' ' || (is_old && *text == '='))) {
		text++;
		len--;
	}
	if (table[i].cap == CAP_SIZE) {
		e->size = 0;
		for (i = 0; i < len && i < 18 && text[i] >= '0' && text[i] <= '9'; i++)
			e->size = e->size * 10 + (text[i] - '0');
	} else if (table[i].cap_len > 0)
		snprintf((char *)e + table[i].offset, table[i].cap_len, "%.*s", (int)len, text);
}

void
ehlo_take_list(struct ehlo *e, const char *s)
{
	while (*s) {
		size_t blank = strspn(s, " "), n = strcspn(s + blank, "\n,");

		ehlo_take(e, s + blank, n);
		s += blank + n;
		s += *s != '\0';
	}
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Returns true for a keyword and its parameters, which begin at s and end at end. */
static bool
is_item(const char *s, const char *end)
{
	const char *p = s;
	size_t i;

	while (p < end && (is_alnum(*p) || (*p == '-' && p > s)))
		p++;
	if (p == s || (p < end && *p != ' '))
		return false;
	i = find(s, (size_t)(p - s));
	while (p < end) {
		for (s = ++p; p < end && *p > ' ' && *p <= '~'; p++)
			;
		if (p < end && *p != ' ')
			return false;
		if (p > s && ((i < TABLE && table[i].cap != CAP_SIZE && table[i].cap_len == 0) ||
		        find(s, (size_t)(p - s)) < TABLE)) /* a keyword cannot be another's parameter */
			return false;
	}
	return true;
}

bool
ehlo_list_is_valid(const char *s)
{
	while (*s) {
		size_t blank = strspn(s, " "), n = strcspn(s + blank, "\n,"), len = n;

		while (len > 0 && (s[blank + len - 1] == ' ' || s[blank + len - 1] == '\r'))
			len--;
		if (len > 0 && !is_item(s + blank, s + blank + len))
			return false;
		s += blank + n;
		s += *s != '\0';
	}
	return true;
}

/* Move *s to the next word, over the separators before it. Returns the word's length; 0: no more words. */
static size_t
word(const char **s, const char *end)
{
	const char *p = *s;

	while (p < end && (*p == ' ' || *p == ','))
		p++;
	for (*s = p; p < end && *p != ' ' && *p != ','; p++)
		;
	return (size_t)(p - *s);
}

int
ehlo_refuse(struct ehlo *e, const char *s, size_t len)
{
	const char *end = s + len;
	size_t n, at;

	for (; (n = word(&s, end)) > 0; s += n) {
		if (ehlo_is_refused(e, s, n))
			continue;
		at = strlen(e->no_soliciting);
		if (param_check(PARAM_SOLICIT, s, n) < 0 || at + 1 + n > EHLO_WORDS_MAX)
			return -1;
		snprintf(e->no_soliciting + at, sizeof e->no_soliciting - at, "%s%.*s", at > 0 ? "," : "", (int)n, s);
	}
	return 0;
}

bool
ehlo_is_refused(const struct ehlo *e, const char *list, size_t len)
{
	const char *end = list + len, *ours_end = e->no_soliciting + strlen(e->no_soliciting), *own;
	size_t n, k;

	for (; (n = word(&list, end)) > 0; list += n)
		for (own = e->no_soliciting; (k = word(&own, ours_end)) > 0; own += k)
			if (k == n && strncasecmp(own, list, n) == 0)
				return true;
	return false;
}

/* Append one keyword with its parameters. Returns 0, or -1 with errno set (ENOMEM). */
static int
keyword(struct buf *out, const struct ehlo *e, size_t i)
{
	const char *param = table[i].cap_len > 0 ? (const char *)e + table[i].offset : "";

	if (table[i].cap == CAP_SIZE && e->size > 0)
		return buf_printf(out, "SIZE %lld", e->size);
	return buf_printf(out, "%s%s%s", table[i].keyword, *param ? " " : "", param);
}

int
ehlo_reply(struct buf *out, const struct ehlo *e, const char *host)
{
	uint32_t left = e->caps;
	size_t i, was = out->len;

	if (buf_printf(out, "250%c%s\r\n", left ? '-' : ' ', host) < 0)
		goto fail;
	for (i = 0; i < TABLE; i++) {
		if (!(left & table[i].cap))
			continue;
		left &= ~(uint32_t)table[i].cap;
		if (buf_puts(out, left ? "250-" : "250 ") < 0 || keyword(out, e, i) < 0 || buf_puts(out, "\r\n") < 0)
			goto fail;
	}
	return 0;
fail:
	out->len = was;
	return -1;
}

int
ehlo_keywords(struct buf *out, const struct ehlo *e)
{
	size_t i;

	for (i = 0; i < TABLE; i++)
		if (e->caps & table[i].cap && (keyword(out, e, i) < 0 || buf_puts(out, "\n") < 0))
			return -1;
	return 0;
}
