/* ISC licence, see LICENSE. */
#include "routes.h"

#include <string.h>

#include "base/username.h"

/* Look up prefix and name[0..n), in lower case if fold is set. Returns as table_get. */
static int
look_up(struct table *t, const char *prefix, const char *name, size_t n, bool fold, struct route *r)
{
	size_t before = strlen(prefix);
	int found;

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

/* Look up a path: as it is, in lower case, its domain. Returns as table_get. */
static int
look_up_path(struct table *t, const char *prefix, const char *path, size_t n, struct route *r)
{
	const char *at = memchr(path, '@', n), *p;
	int found = look_up(t, prefix, path, n, false, r);

	for (p = at; p && (p = memchr(p + 1, '@', n - (size_t)(p + 1 - path)));)
		at = p; /* a quoted local part may have at signs too */
	if (found == 0)
		found = look_up(t, prefix, path, n, true, r);
	if (found == 0 && at)
		found = look_up(t, prefix, at + 1, n - (size_t)(at + 1 - path), true, r);
	return found;
}

int
routes_find(struct table *t, const char *to, size_t len, const struct sender *from, struct route *r)
{
	int found;

	r->value = "";
	r->len = 0;
	found = look_up_path(t, "", to, len, r);
	if (found == 0 && from->path_len > 0)
		found = look_up_path(t, "from:", from->path, from->path_len, r);
	if (found == 0 && from->user && *from->user)
		found = look_up(t, "user:", from->user, strlen(from->user), true, r);
	return found;
}
