/* ISC licence, see LICENSE. */
#include "smtp/addr.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_atext(char c) /* RFC 5322 3.2.3; RFC 6531 3.3 adds non-ASCII characters */
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) || (unsigned char)c > 127;
}

bool
addr_is_utf8(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i = 0;

	while (i < n) {
		size_t more, k;
		unsigned long cp;

		if (s[i] < 0x80) {
			i++;
			continue;
		}
		if (s[i] >= 0xc2 && s[i] <= 0xdf)
			more = 1;
		else if ((s[i] & 0xf0) == 0xe0)
			more = 2;
		else if (s[i] >= 0xf0 && s[i] <= 0xf4)
			more = 3;
		else
			return false;
		if (n - i <= more)
			return false;
		cp = s[i] & (0x3f >> more);
		for (k = 1; k <= more; k++) {
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (s[i + k] & 0x3f);
		}
		/* not overlong, no surrogate, not above Unicode */
		if ((more == 2 && cp < 0x800) || (more == 3 && cp < 0x10000) || (cp >= 0xd800 && cp <= 0xdfff) ||
		    cp > 0x10ffff)
			return false;
		i += more + 1;
	}
	return true;
}

/* The length of the domain (not a literal) at the start of s; 0: none. */
static size_t
domain_len(const char *s, size_t n)
{
	size_t i = 0, label, chars;

	for (;;) {
		label = i;
		/* The limit is that of an A-label. A U-label may have more octets, but not more characters (RFC 5890 4.2). */
		for (chars = 0; i < n && (is_alnum(s[i]) || s[i] == '-' || (unsigned char)s[i] > 127); i++)
			chars += (s[i] & 0xc0) != 0x80;
		if (i == label || chars > ADDR_LABEL_MAX || s[label] == '-' || s[i - 1] == '-')
			return 0;
		if (i == n || s[i] != '.')
			return i;
		i++;
	}
}

bool
addr_is_domain(const char *s, size_t n)
{
	return n > 0 && n <= ADDR_DOMAIN_MAX && domain_len(s, n) == n && addr_is_utf8(s, n);
}

/*
 * IPv4-address-literal: four numbers of 1 to 3 digits. inet_pton would refuse their leading zeros, which are allowed.
 */
static bool
is_ipv4(const char *s, size_t n)
{
	size_t i = 0, start;
	int part, value;

	for (part = 0; part < 4; part++) {
		if (part > 0 && (i == n || s[i++] != '.'))
			return false;
		for (start = i, value = 0; i < n && s[i] >= '0' && s[i] <= '9' && i - start < 3; i++)
			value = value * 10 + (s[i] - '0');
		if (i == start || value > 255)
			return false;
	}
	return i == n;
}

/* Returns true if s can stand between the brackets of an address literal (RFC 5321 4.1.3). */
static bool
is_literal(const char *s, size_t n)
{
	char text[INET6_ADDRSTRLEN + 8];
	unsigned char addr[16];
	size_t i, tag;

	if (n == 0 || n >= ADDR_DOMAIN_MAX || memchr(s, '\0', n)) /* inet_pton would stop at a NUL */
		return false;
	if (is_ipv4(s, n))
		return true;
	if (n < sizeof text) {
		memcpy(text, s, n);
		text[n] = '\0';
		if (strncasecmp(text, "IPv6:", 5) == 0)
			return inet_pton(AF_INET6, text + 5, addr) == 1;
	}
	/* General: a standardized tag (letters, digits, inner hyphens), a colon, dcontent. */
	for (tag = 0; tag < n && (is_alnum(s[tag]) || s[tag] == '-'); tag++)
		;
	if (tag == 0 || tag == n || s[tag] != ':' || s[tag - 1] == '-' || tag + 1 == n ||
	    (tag == 4 && strncasecmp(s, "IPv6", 4) == 0))
		return false;
	for (i = tag + 1; i < n; i++)
		if (s[i] < '!' || s[i] > '~' || (s[i] >= '[' && s[i] <= ']'))
			return false;
	return true;
}

/* The length of "domain" or "[literal]" at the start of s; 0: none. */
static size_t
host_len(const char *s, size_t n, bool *literal)
{
	const char *close;

	*literal = n > 0 && *s == '[';
	if (!*literal)
		return domain_len(s, n);
	close = memchr(s, ']', n);
	if (!close || !is_literal(s + 1, (size_t)(close - s) - 1))
		return 0;
	return (size_t)(close - s) + 1;
}

/* Append c to a's text. Returns false if there is no room. */
static bool
put(struct addr *a, char c)
{
	if (a->len >= ADDR_MAILBOX_MAX)
		return false;
	a->text[a->len++] = c;
	a->text[a->len] = '\0';
	return true;
}

/* The length of the Dot-string at the start of s; 0: none. */
static size_t
dot_string_len(const char *s, size_t n)
{
	size_t i = 0, atom;

	for (;;) {
		atom = i;
		while (i < n && is_atext(s[i]))
			i++;
		if (i == atom)
			return 0;
		if (i == n || s[i] != '.')
			return i;
		i++;
	}
}

/*
 * Unquote the Quoted-string at the start of s into plain, which has room for ADDR_LOCAL_MAX octets, the limit of a
 * local part. Returns the octets of s used; 0: none.
 */
static size_t
quoted_string(const char *s, size_t n, char *plain, size_t *len)
{
	size_t i;

	*len = 0;
	for (i = 1; i < n && s[i] != '"'; i++) {
		if (s[i] == '\\') {
			i++;
			if (i >= n || s[i] < ' ' || s[i] > '~') /* quoted-pairSMTP */
				return 0;
		} else if ((unsigned char)s[i] < ' ' || s[i] == 127) /* qtextSMTP */
			return 0;
		if (*len == ADDR_LOCAL_MAX)
			return 0;
		plain[(*len)++] = s[i];
	}
	return i < n ? i + 1 : 0;
}

static size_t
local_part(const char *s, size_t n, struct addr *a)
{
	char plain[ADDR_LOCAL_MAX];
	size_t used, len, i;
	bool quotes;

	if (n == 0)
		return 0;
	if (*s == '"') {
		used = quoted_string(s, n, plain, &len);
		if (used == 0 || used > ADDR_LOCAL_MAX)
			return 0;
		quotes = len == 0 || dot_string_len(plain, len) != len;
	} else {
		used = len = dot_string_len(s, n);
		if (len == 0 || len > ADDR_LOCAL_MAX)
			return 0;
		memcpy(plain, s, len);
		quotes = false;
	}
	if (quotes)
		put(a, '"');
	for (i = 0; i < len; i++)
		if ((quotes && (plain[i] == '"' || plain[i] == '\\') && !put(a, '\\')) || !put(a, plain[i]))
			return 0;
	if (quotes && !put(a, '"'))
		return 0;
	a->local_len = a->len;
	return used;
}

/* Parse "local" or "local@domain" at the start of s into a, which is empty. Returns the octets used; 0: none. */
static size_t
mailbox(const char *s, size_t n, struct addr *a)
{
	size_t used, host, i;

	used = local_part(s, n, a);
	if (used == 0)
		return 0;
	if (used < n && s[used] == '@') {
		used++;
		host = host_len(s + used, n - used, &a->is_literal);
		if (host == 0 || host > ADDR_DOMAIN_MAX || !put(a, '@'))
			return 0;
		for (i = 0; i < host; i++) {
			char c = s[used + i];

			if (!put(a, !a->is_literal && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c))
				return 0;
		}
		a->has_domain = true;
		used += host;
	}
	for (i = 0; i < a->len; i++)
		a->is_utf8 |= (unsigned char)a->text[i] > 127;
	return addr_is_utf8(a->text, a->len) ? used : 0;
}

/*
 * Skip a source route "@a,@b:" at the start of s (RFC 5321 C: must be accepted, should be ignored). Returns 0 with
 * *used set, 0 octets if there is none, or -1: an invalid one.
 */
static int
source_route(const char *s, size_t n, size_t *used)
{
	size_t i = 0, host;
	bool literal;

	*used = 0;
	if (n == 0 || *s != '@')
		return 0;
	for (;;) {
		if (i >= n || s[i] != '@')
			return -1;
		i++;
		host = host_len(s + i, n - i, &literal);
		if (host == 0)
			return -1;
		i += host;
		if (i < n && s[i] == ':')
			break;
		if (i >= n || s[i] != ',')
			return -1;
		i++;
	}
	*used = i + 1;
	return addr_is_utf8(s, i) ? 0 : -1;
}

int
addr_path(const char *s, size_t n, struct addr *a, size_t *used)
{
	size_t i, route, box;

	*a = (struct addr){ 0 };
	if (n < 2 || s[0] != '<')
		return -1;
	if (s[1] == '>') {
		*used = 2;
		return 0;
	}
	if (source_route(s + 1, n - 1, &route) < 0)
		return -1;
	i = 1 + route;
	box = mailbox(s + i, n - i, a);
	if (box == 0 || i + box >= n || s[i + box] != '>' || (route && !a->has_domain))
		return -1;
	*used = i + box + 1;
	return 0;
}

int
addr_mailbox(const char *s, size_t n, struct addr *a)
{
	*a = (struct addr){ 0 };
	return mailbox(s, n, a) == n && n > 0 && a->has_domain ? 0 : -1;
}

const char *
addr_domain(const struct addr *a)
{
	return a->has_domain ? a->text + a->local_len + 1 : "";
}

bool
addr_is_qualified(const struct addr *a)
{
	return a->is_literal || strchr(addr_domain(a), '.') != NULL;
}

bool
addr_is_postmaster(const struct addr *a)
{
	return !a->has_domain && strcasecmp(a->text, "postmaster") == 0;
}
