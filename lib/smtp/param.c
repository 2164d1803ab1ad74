/* ISC licence, see LICENSE. */
#include "smtp/param.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "smtp/addr.h"
#include "smtp/cap.h"

enum {
	ENVID_MAX = 100,  /* RFC 3461 4.4: characters of the xtext */
	ORCPT_MAX = 500,  /* RFC 3461 4.2 */
	SOLICIT_MAX = 1000, /* RFC 3865 2.2 */
	MTRK_MAX = 65,    /* RFC 3885 3.1: a base64 hash, a colon, nine digits */
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns true if s is 1 to most decimal digits. */
static bool
is_number(const char *s, size_t n, size_t most)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!is_digit(s[i]))
			return false;
	return n > 0 && n <= most;
}

/* strchr would find a NUL in any set; here it is in none. */
static bool
is_alnum_or(char c, const char *set)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr(set, c));
}

static bool
is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

static bool
is_upper_hex(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'F');
}

/* RFC 3461 4: printable ASCII but + and =, or + and two upper-case hexadecimal digits. */
static bool
is_xtext(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (s[i] == '+') {
			if (n - i < 3 || !is_upper_hex(s[i + 1]) || !is_upper_hex(s[i + 2]))
				return false;
			i += 2;
		} else if (s[i] < '!' || s[i] > '~' || s[i] == '=')
			return false;
	}
	return true;
}

static bool
check_body(const char *s, size_t n)
{
	return is_word(s, n, "7BIT") || is_word(s, n, "8BITMIME") || is_word(s, n, "BINARYMIME");
}

static bool
check_size(const char *s, size_t n) /* RFC 1870 4: up to 20 digits */
{
	return is_number(s, n, 20);
}

static bool
check_auth(const char *s, size_t n) /* RFC 4954 5: xtext of a mailbox, or <>, which has the form of xtext too */
{
	return n > 0 && n <= 500 && is_xtext(s, n);
}

static bool
check_ret(const char *s, size_t n)
{
	return is_word(s, n, "FULL") || is_word(s, n, "HDRS");
}

static bool
check_envid(const char *s, size_t n)
{
	return n > 0 && n <= ENVID_MAX && is_xtext(s, n);
}

static bool
check_by(const char *s, size_t n) /* RFC 2852 4: by-time ";" by-mode [by-trace]; R needs a time to come */
{
	size_t i = 0, start;
	bool past = n > 0 && *s == '-', zero = true;

	if (n > 0 && (*s == '-' || *s == '+'))
		i = 1;
	for (start = i; i < n && is_digit(s[i]); i++)
		zero = zero && s[i] == '0';
	if (i == start || i - start > 9 || i == n || s[i++] != ';')
		return false;
	s += i;
	n -= i;
	if (is_word(s, n, "R") || is_word(s, n, "RT"))
		return !past && !zero;
	return is_word(s, n, "N") || is_word(s, n, "NT");
}

static bool
check_mt_priority(const char *s, size_t n) /* RFC 6710 6: -9 to 9, no "-0" */
{
	return (n == 1 && is_digit(*s)) || (n == 2 && *s == '-' && is_digit(s[1]) && s[1] != '0');
}

static bool
check_solicit(const char *s, size_t n) /* RFC 3865 2.2: words with commas between, each one beginning with a letter */
{
	size_t i;

	for (i = 0; i < n; i++) {
		bool first = i == 0 || s[i - 1] == ',';

		if (first ? is_digit(s[i]) || !is_alnum_or(s[i], "") : !is_alnum_or(s[i], "-_.:,"))
			return false;
	}
	return n > 0 && n <= SOLICIT_MAX && s[n - 1] != ',';
}

static bool
check_holdfor(const char *s, size_t n) /* RFC 4865 4: 1 to 9 digits, no leading zero */
{
	return is_number(s, n, 9) && *s != '0';
}

static bool
check_holduntil(const char *s, size_t n) /* RFC 3339's Internet date-time, upper case */
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	size_t i;

	for (i = 0; shape[i]; i++)
		if (i >= n || (shape[i] == 'd' ? !is_digit(s[i]) : s[i] != shape[i]))
			return false;
	if (i < n && s[i] == '.') {
		size_t start = ++i;

		while (i < n && is_digit(s[i]))
			i++;
		if (i == start)
			return false;
	}
	if (n - i == 1)
		return s[i] == 'Z';
	return n - i == 6 && (s[i] == '+' || s[i] == '-') && is_digit(s[i + 1]) && is_digit(s[i + 2]) &&
	    s[i + 3] == ':' && is_digit(s[i + 4]) && is_digit(s[i + 5]);
}

static bool
check_mtrk(const char *s, size_t n) /* RFC 3885 3.1: base64 [":" 1*9DIGIT] */
{
	const char *colon = memchr(s, ':', n);
	size_t len = colon ? (size_t)(colon - s) : n, i;

	for (i = 0; i < len; i++)
		if (!is_alnum_or(s[i], "+/="))
			return false;
	return len > 0 && n <= MTRK_MAX && (!colon || is_number(colon + 1, n - len - 1, 9));
}

static bool
check_notify(const char *s, size_t n) /* RFC 3461 4.1: NEVER alone, or a list without doubles */
{
	unsigned seen = 0, bit;
	size_t part;

	if (is_word(s, n, "NEVER"))
		return true;
	for (;;) {
		for (part = 0; part < n && s[part] != ','; part++)
			;
		bit = is_word(s, part, "SUCCESS") ? 1 : is_word(s, part, "FAILURE") ? 2 : is_word(s, part, "DELAY") ? 4 : 0;
		if (!bit || seen & bit)
			return false;
		seen |= bit;
		if (part == n)
			return true;
		s += part + 1;
		n -= part + 1;
	}
}

static bool
check_orcpt(const char *s, size_t n) /* RFC 3461 4.2: addr-type ";" xtext; RFC 6533 3 has UTF-8 for type utf-8 */
{
	const char *semi = memchr(s, ';', n);
	size_t type = semi ? (size_t)(semi - s) : 0, i;

	if (type == 0 || n > ORCPT_MAX || type + 1 == n)
		return false;
	for (i = 0; i < type; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr("()<>@,;:\\\"[].+=", s[i]))
			return false;
	if (is_word(s, type, "utf-8")) {
		for (i = type + 1; i < n; i++)
			if (s[i] == '=' || s[i] == '+' || s[i] == 127 || (unsigned char)s[i] <= ' ')
				return false;
		return addr_is_utf8(semi + 1, n - type - 1);
	}
	return is_xtext(semi + 1, n - type - 1);
}

static const struct {
	const char *keyword;
	int of;
	uint32_t cap;
	enum { NO_VALUE, VALUE, MAY_HAVE_VALUE } value;
	bool (*check)(const char *value, size_t len);
	size_t adds; /* octets that it may make a command line longer, by its RFC or by its longest value */
} table[PARAM_COUNT] = {
	[PARAM_UNKNOWN] = { "?", 0, 0, MAY_HAVE_VALUE, NULL, 0 },
	[PARAM_SIZE] = { "SIZE", PARAM_OF_MAIL, CAP_SIZE, VALUE, check_size, 26 },
	[PARAM_BODY] = { "BODY", PARAM_OF_MAIL, CAP_8BITMIME, VALUE, check_body, 17 },
	[PARAM_SMTPUTF8] = { "SMTPUTF8", PARAM_OF_MAIL, CAP_SMTPUTF8, NO_VALUE, NULL, 10 },
	[PARAM_AUTH] = { "AUTH", PARAM_OF_MAIL, CAP_AUTH, VALUE, check_auth, 500 },
	[PARAM_RET] = { "RET", PARAM_OF_MAIL, CAP_DSN, VALUE, check_ret, 9 },
	[PARAM_ENVID] = { "ENVID", PARAM_OF_MAIL, CAP_DSN, VALUE, check_envid, 107 },
	[PARAM_BY] = { "BY", PARAM_OF_MAIL, CAP_DELIVERBY, VALUE, check_by, 17 },
	[PARAM_MT_PRIORITY] = { "MT-PRIORITY", PARAM_OF_MAIL, CAP_MT_PRIORITY, VALUE, check_mt_priority, 15 },
	[PARAM_REQUIRETLS] = { "REQUIRETLS", PARAM_OF_MAIL, CAP_REQUIRETLS, NO_VALUE, NULL, 11 },
	[PARAM_SOLICIT] = { "SOLICIT", PARAM_OF_MAIL, CAP_NO_SOLICITING, VALUE, check_solicit, 1009 },
	[PARAM_HOLDFOR] = { "HOLDFOR", PARAM_OF_MAIL, CAP_FUTURERELEASE, VALUE, check_holdfor, 34 },
	[PARAM_HOLDUNTIL] = { "HOLDUNTIL", PARAM_OF_MAIL, CAP_FUTURERELEASE, VALUE, check_holduntil, 34 },
	[PARAM_MTRK] = { "MTRK", PARAM_OF_MAIL, CAP_MTRK, VALUE, check_mtrk, 78 },
	[PARAM_PRDR] = { "PRDR", PARAM_OF_MAIL, CAP_PRDR, NO_VALUE, NULL, 0 },
	[PARAM_NOTIFY] = { "NOTIFY", PARAM_OF_RCPT, CAP_DSN, VALUE, check_notify, 29 },
	[PARAM_ORCPT] = { "ORCPT", PARAM_OF_RCPT, CAP_DSN, VALUE, check_orcpt, 507 },
};

enum param
param_find(const char *keyword, size_t len, int of)
{
	int p;

	for (p = PARAM_UNKNOWN + 1; p < PARAM_COUNT; p++)
		if (table[p].of & of && is_word(keyword, len, table[p].keyword))
			return (enum param)p;
	return PARAM_UNKNOWN;
}

const char *
param_keyword(enum param p)
{
	return table[p].keyword;
}

uint32_t
param_cap(enum param p)
{
	return table[p].cap;
}

size_t
param_adds(uint32_t caps, int of)
{
	size_t n = 0;
	int p;

	for (p = PARAM_UNKNOWN + 1; p < PARAM_COUNT; p++)
		if (table[p].of & of && table[p].cap & caps)
			n += table[p].adds;
	return n;
}

int
param_check(enum param p, const char *value, size_t len)
{
	if (!value)
		return table[p].value == VALUE ? -1 : 0;
	if (table[p].value == NO_VALUE || (table[p].check && !table[p].check(value, len)))
		return -1;
	return 0;
}

int
param_next(const char **s, const char *end, const char **key, size_t *keylen, const char **value, size_t *valuelen)
{
	const char *p = *s;

	if (p == end)
		return 0;
	*key = p;
	while (p < end && (is_digit(*p) || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
	                   (*p == '-' && p > *key)))
		p++;
	*keylen = (size_t)(p - *key);
	*value = NULL;
	*valuelen = 0;
	if (*keylen == 0)
		return -1;
	if (p < end && *p == '=') {
		*value = ++p;
		/* esmtp-value: any but "=", space and controls; AUTH=<> and RFC 6531's UTF-8 fit in. A second "="
		 * is left to the value's own syntax: RFC 3885's base64 ends in it. */
		while (p < end && (unsigned char)*p > ' ' && *p != 127)
			p++;
		*valuelen = (size_t)(p - *value);
		if (*valuelen == 0)
			return -1;
	}
	if (p < end) {
		if (*p != ' ')
			return -1;
		while (p < end && *p == ' ')
			p++;
	}
	*s = p;
	return 1;
}
