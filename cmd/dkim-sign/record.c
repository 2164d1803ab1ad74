/* ISC licence, see LICENSE. */
#include "record.h"

#include <stdio.h>
#include <string.h>

#include "base/usertable.h"

enum { NAME_MAX_DNS = 253 }; /* octets of a name in the DNS, RFC 1035 2.3.4 */

static bool
is_ascii_domain(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && !((unsigned char)s[i] & 0x80); i++)
		;
	return i == n && addr_is_domain(s, n);
}

int
record_find(struct table *t, const char *domain, struct addrtable_record *r)
{
	char path[ADDR_DOMAIN_MAX + 2];
	int n = snprintf(path, sizeof path, "@%s", domain);

	return addrtable_find(t, "", path, (size_t)n, ADDRTABLE_BELOW, r);
}

static void
set(char out[ADDR_DOMAIN_MAX + 1], const char *s, size_t n)
{
	memcpy(out, s, n);
	out[n] = '\0';
}

/* Returns 0, or -1: s[0..n) is not a valid item. */
static int
item_read(struct record_item *i, const char *s, size_t n, const char *domain, size_t domain_len)
{
	const char *colon = memchr(s, ':', n), *at = colon ? memchr(s, '@', (size_t)(colon - s)) : NULL;
	size_t len;

	if (!colon)
		return -1;
	len = (size_t)((at ? at : colon) - s);
	if (at) {
		domain = at + 1;
		domain_len = (size_t)(colon - domain);
	}
	i->path = colon + 1;
	i->path_len = n - (size_t)(i->path - s);
	if (!is_ascii_domain(s, len) || !is_ascii_domain(domain, domain_len) || i->path_len < 2 || *i->path != '/' ||
	    memchr(i->path, '\0', i->path_len) || len + strlen("._domainkey.") + domain_len > NAME_MAX_DNS)
		return -1;
	set(i->selector, s, len);
	set(i->domain, domain, domain_len);
	return 0;
}

int
record_item(const char **p, const char *end, const char *key, size_t n, struct record_item *i, const char **bad,
    size_t *len)
{
	if (n > 0 && *key == '.') {
		key++;
		n--;
	}
	*bad = usertable_item(p, end, len);
	if (!*bad)
		return 0;
	return item_read(i, *bad, *len, key, n) < 0 ? -1 : 1;
}

/* The key is not known here: an item without a domain is looked at as one of a short domain. */
const char *
record_bad(const char *list, size_t n, size_t *len)
{
	struct record_item i;
	const char *p = list, *bad;

	while (record_item(&p, list + n, "x", 1, &i, &bad, len) > 0)
		;
	return bad;
}

bool
record_is_bad_key(const char *key, size_t n)
{
	size_t dot = n > 1 && *key == '.';

	return !is_ascii_domain(key + dot, n - dot);
}
