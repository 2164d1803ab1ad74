/* ISC licence, see LICENSE. */
#include "base/usertable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/username.h"

static const char anyone[] = "*", no_user[] = "-";

enum { SHOWN = 100 }; /* octets shown of a key or an item */

static int
shown(size_t n)
{
	return (int)(n < SHOWN ? n : SHOWN);
}

static bool
has_capital(const char *key, size_t n)
{
	size_t i;

	for (i = 0; i < n && (key[i] < 'A' || key[i] > 'Z'); i++)
		;
	return i < n;
}

/* Is name[0..n) the key of a record that is not for one user? A user of such a name has no record of their own. */
static bool
is_taken(const struct usertable *u, const char *name, size_t n)
{
	return (n == 1 && (*name == *anyone || *name == *no_user)) ||
	    (u->labels && username_before_label(name, n) < n) ||
	    (u->groups && n > 0 && *name == '&' && !memchr(name, '@', n));
}

/* Is the key "user/label", and nobody's, as the user is none? */
static bool
is_nobodys(const struct usertable *u, const char *key, size_t n)
{
	size_t user = username_before_label(key, n);

	return user < n && is_taken(u, key, user);
}

static void
blame(struct usertable *u, const char *key, size_t key_len, const char *item, size_t len)
{
	snprintf(u->why, sizeof u->why, "record of %.*s: %.*s: %s", shown(key_len), key, shown(len), item, u->what);
}

void
usertable_blame(struct usertable *u, const char *user, const char *item, size_t len)
{
	if (!user)
		user = no_user;
	blame(u, user, strlen(user), item, len);
}

int
usertable_check(struct usertable *u, struct table *t, const char *key, size_t n, const char *value, size_t len)
{
	const char *bad, *why;

	if ((bad = u->bad(value, len, &len)))
		blame(u, key, n, bad, len);
	else if (!u->any_case && has_capital(key, n))
		snprintf(u->why, sizeof u->why, "record of %.*s: the key has a capital letter", shown(n), key);
	else if ((u->labels && is_nobodys(u, key, n)) || (u->is_bad_key && u->is_bad_key(key, n)))
		snprintf(u->why, sizeof u->why, "record of %.*s: no look-up finds this key", shown(n), key);
	else if (t && u->bad_record && (why = u->bad_record(u->arg, t, key, n)))
		snprintf(u->why, sizeof u->why, "record of %.*s: %s", shown(n), key, why);
	else
		return 0;
	return -1;
}

/* Check every record of t. Returns 0, or -1 with u->why set. */
static int
check(struct usertable *u, struct table *t)
{
	const char *key, *value;
	unsigned pos;
	int r;

	cdb_seqinit(&pos, &t->cdb);
	while ((r = cdb_seqnext(&pos, &t->cdb)) > 0) {
		key = cdb_getkey(&t->cdb);
		value = cdb_getdata(&t->cdb);
		if (!key || !value) {
			r = -1;
			break;
		}
		if (usertable_check(u, t, key, cdb_keylen(&t->cdb), value, cdb_datalen(&t->cdb)) < 0)
			return -1;
	}
	if (r < 0)
		snprintf(u->why, sizeof u->why, "damaged");
	return r;
}

/* Open t, which is u->table or will replace it. Returns 0, or -1 with u->why set and t closed. */
static int
open_table(struct usertable *u, struct table *t, const char *path, bool whole)
{
	if (table_open(t, path) < 0) {
		snprintf(u->why, sizeof u->why, "%s", table_why(errno));
		return -1;
	}
	if (whole && check(u, t) < 0) {
		table_close(t);
		return -1;
	}
	return 0;
}

int
usertable_open(struct usertable *u, const char *path, bool whole)
{
	u->open = open_table(u, &u->table, path, whole) == 0;
	return u->open ? 0 : -1;
}

int
usertable_renew(struct usertable *u)
{
	struct table fresh;

	if (open_table(u, &fresh, u->table.path, true) < 0) {
		table_refuse(&u->table, &fresh);
		return -1;
	}
	table_replace(&u->table, &fresh);
	return 0;
}

int
usertable_get_any(struct usertable *u, const char *const *names, size_t n, const char **value, size_t *len)
{
	char folded[TABLE_KEY_MAX];
	size_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		size_t key_len = strlen(names[i]);

		if (key_len > TABLE_KEY_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (is_taken(u, names[i], key_len))
			continue;
		username_fold(folded, names[i], key_len);
		r = table_get(&u->table, folded, key_len, value, len);
	}
	return r != 0 ? r : table_get(&u->table, anyone, 1, value, len);
}

int
usertable_get(struct usertable *u, const char *user, const char **value, size_t *len)
{
	return user ? usertable_get_any(u, &user, 1, value, len) : table_get(&u->table, no_user, 1, value, len);
}

int
usertable_get_label(struct usertable *u, const char *const *names, size_t n, const char *label, const char **value,
    size_t *len)
{
	size_t i, label_len = strlen(label);
	char key[TABLE_KEY_MAX];
	int r = 0;

	if (!username_is_label(label, label_len))
		return 0;
	for (i = 0; i < n && r == 0; i++) {
		size_t user = strlen(names[i]);

		if (is_taken(u, names[i], user))
			continue;
		if (user + 1 + label_len > TABLE_KEY_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		username_fold(key, names[i], user);
		key[user] = '/';
		username_fold(key + user + 1, label, label_len);
		r = table_get(&u->table, key, user + 1 + label_len, value, len);
	}
	return r;
}

const char *
usertable_item(const char **p, const char *end, size_t *len)
{
	static const char between[] = { ' ', '\t', '\r', '\n', ',' };
	const char *item;

	while (*p < end && memchr(between, **p, sizeof between))
		++*p;
	item = *p;
	while (*p < end && !memchr(between, **p, sizeof between))
		++*p;
	*len = (size_t)(*p - item);
	return *len > 0 ? item : NULL;
}

void
usertable_close(struct usertable *u)
{
	if (u->open)
		table_close(&u->table);
	u->open = false;
}
