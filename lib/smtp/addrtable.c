/* ISC licence, see LICENSE. */
#include "smtp/addrtable.h"

#include <string.h>

#include "base/username.h"
#include "smtp/addr.h"

int
addrtable_find_name(struct table *t, const char *prefix, const char *name, size_t n, bool fold,
    struct addrtable_record *r)
{
	size_t before = strlen(prefix);
	int found;

	*r = (struct addrtable_record){ .value = "" };
	if (before + n > TABLE_KEY_MAX)
		return 0;
	memcpy(r->key, prefix, before);
	if (fold)
		username_fold(r->key + before, name, n);
	else
		memcpy(r->key + before, name, n);
	r->key[before + n] = '\0';
	found = table_get(t, r->key, before + n, &r->value, &r->len);
	if (found <= 0)
		*r->key = '\0';
	return found;
}

/* Look for ".domain" of the domains above domain[0..n). Returns as addrtable_find. */
static int
find_above(struct table *t, const char *prefix, const char *domain, size_t n, struct addrtable_record *r)
{
	const char *end = domain + n, *dot = domain;
	int found = 0;

	if (n > 0 && *domain == '[') /* the dots of a literal are not those of a domain */
		return 0;
	while (found == 0 && (dot = memchr(dot, '.', (size_t)(end - dot)))) {
		found = addrtable_find_name(t, prefix, dot, (size_t)(end - dot), true, r);
		dot++;
	}
	return found;
}

int
addrtable_find(struct table *t, const char *prefix, const char *path, size_t n, int how, struct addrtable_record *r)
{
	const char *at = memchr(path, '@', n), *p, *domain;
	int found = how & ADDRTABLE_EXACT ? addrtable_find_name(t, prefix, path, n, false, r) : 0;

	for (p = at; p && (p = memchr(p + 1, '@', n - (size_t)(p + 1 - path)));)
		at = p; /* a quoted local part may have at signs too */
	if (found == 0)
		found = addrtable_find_name(t, prefix, path, n, true, r);
	if (found != 0 || !at)
		return found;
	domain = at + 1;
	n -= (size_t)(domain - path);
	found = addrtable_find_name(t, prefix, domain, n, true, r);
	return found == 0 && how & ADDRTABLE_BELOW ? find_above(t, prefix, domain, n, r) : found;
}

bool
addrtable_is_key(const char *key, size_t n)
{
	char literal[ADDR_DOMAIN_MAX + 8];
	struct addr a;

	if (n > 1 && *key == '.')
		return addr_is_domain(key + 1, n - 1);
	if (n > 2 && *key == '[' && n < ADDR_DOMAIN_MAX) {
		memcpy(literal, "x@", 2);
		memcpy(literal + 2, key, n);
		return addr_mailbox(literal, n + 2, &a) == 0;
	}
	return addr_is_domain(key, n) || addr_mailbox(key, n, &a) == 0;
}
