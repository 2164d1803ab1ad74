/* ISC licence, see LICENSE. */
#include "routes.h"

#include <string.h>

#include "smtp/addr.h"

static const char by_sender[] = "from:", by_user[] = "user:";

int
routes_find(struct table *t, const char *to, size_t len, const struct sender *from, struct addrtable_record *r)
{
	int found = addrtable_find(t, "", to, len, ADDRTABLE_EXACT, r);

	if (found == 0 && from->path_len > 0)
		found = addrtable_find(t, by_sender, from->path, from->path_len, ADDRTABLE_EXACT, r);
	if (found == 0 && from->user && *from->user)
		found = addrtable_find_name(t, by_user, from->user, strlen(from->user), true, r);
	return found;
}

bool
routes_is_chain(const char *name, size_t n)
{
	return n > 0 && !memchr(name, '\0', n) && (*name == '/' || (*name != '.' && !memchr(name, '/', n)));
}

const char *
routes_bad(const char *value, size_t n, size_t *len)
{
	*len = n;
	return n == 0 || routes_is_chain(value, n) ? NULL : value;
}

/* Returns true if key[0..n) is an address, whose local part may have capital letters, or a domain; both canonical. */
static bool
is_key(const char *key, size_t n)
{
	const char *at = memchr(key, '@', n), *p;
	struct addr a;

	for (p = at; p && (p = memchr(p + 1, '@', n - (size_t)(p + 1 - key)));)
		at = p; /* a quoted local part may have at signs too */
	for (p = at ? at : key; p < key + n && (*p < 'A' || *p > 'Z'); p++)
		;
	if (p < key + n || *key == '.' || !addrtable_is_key(key, n))
		return false;
	return !at || (addr_mailbox(key, n, &a) == 0 && a.len == n && memcmp(a.text, key, n) == 0);
}

bool
routes_is_bad_key(const char *key, size_t n)
{
	size_t from = strlen(by_sender), user = strlen(by_user), i;

	if (n > user && memcmp(key, by_user, user) == 0) {
		for (i = user; i < n && (key[i] < 'A' || key[i] > 'Z'); i++)
			;
		return i < n;
	}
	if (n > from && memcmp(key, by_sender, from) == 0) {
		key += from;
		n -= from;
	}
	return n == 0 || !is_key(key, n);
}
