/* ISC licence, see LICENSE. */
#include "auth/permit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/username.h"
#include "smtp/addr.h"
#include "smtp/domain.h"

enum { SHOWN = 100 }; /* octets shown of a name */

static const char no_group[] = "names a group that has no record", nested[] = "is a group and names a group";

/* The names under which a user's record may stand: with A-labels, and with U-labels. */
struct names {
	char with_a[ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 2], with_u[ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 2];
	const char *name[2];
	size_t n;
};

static void
names_of(struct names *s, const char *user)
{
	const char *domain;
	struct addr box;
	size_t local;

	s->name[0] = user;
	s->n = 1;
	if (addr_mailbox(user, strlen(user), &box) < 0)
		return;
	domain = strrchr(user, '@') + 1;
	local = (size_t)(domain - user);
	memcpy(s->with_a, user, local);
	memcpy(s->with_u, user, local);
	domain_fold(s->with_a + local, domain, strlen(domain));
	domain_fold_u(s->with_u + local, domain, strlen(domain));
	s->name[0] = s->with_a;
	s->name[1] = s->with_u;
	s->n = 2;
}

int
permit_find(struct permit *p, struct usertable *t, const char *user, const char *label)
{
	struct names s;
	int own, narrow = 0;

	*p = (struct permit){ .table = t, .user = user, .label = label, .own.list = "", .narrow.list = "" };
	*t->why = '\0';
	if (!user)
		own = usertable_get(t, NULL, &p->own.list, &p->own.len);
	else {
		names_of(&s, user);
		own = usertable_get_any(t, s.name, s.n, &p->own.list, &p->own.len);
		if (own >= 0 && label)
			narrow = usertable_get_label(t, s.name, s.n, label, &p->narrow.list, &p->narrow.len);
	}
	p->own.found = own > 0;
	p->narrow.found = narrow > 0;
	return own < 0 || narrow < 0 ? -1 : 0;
}

void
permit_begin(struct permit_items *i, const struct permit *p, bool is_narrow)
{
	const struct permit_record *r = is_narrow ? &p->narrow : &p->own;

	*i = (struct permit_items){ .permit = p, .is_narrow = is_narrow, .p = r->list, .end = r->list + r->len };
}

/* Set the table's why: something is wrong in the record that has the next item. Returns -1. */
static int
complain(const struct permit_items *i, const char *item, size_t len, const char *why)
{
	const struct permit *p = i->permit;
	const char *name = i->group ? i->group : p->user ? p->user : "-", *label = i->is_narrow && !i->group ? p->label : NULL;
	size_t n = i->group ? i->group_len : strlen(name);

	snprintf(p->table->why, sizeof p->table->why, "record of %.*s%s%s: %.*s: %s", (int)(n < SHOWN ? n : SHOWN), name,
	    label ? "/" : "", label ? label : "", (int)(len < SHOWN ? len : SHOWN), item, why);
	return -1;
}

int
permit_blame(const struct permit_items *i, const char *item, size_t len)
{
	complain(i, item, len, i->permit->table->what);
	errno = EPROTO;
	return -1;
}

/* Enter the group. Returns 0, or -1 as permit_next. */
static int
enter(struct permit_items *i, const char *name, size_t len)
{
	const char *list;
	size_t n;
	int found = table_get_lower(&i->permit->table->table, name, len, &list, &n);

	if (found > 0) {
		i->group = name;
		i->group_len = len;
		i->group_p = list;
		i->group_end = list + n;
		return 0;
	}
	complain(i, name, len, found < 0 ? table_why(errno) : no_group);
	if (found == 0)
		errno = EPROTO;
	return -1;
}

int
permit_next(struct permit_items *i, const char **item, size_t *len)
{
	for (;;) {
		if (i->group && (*item = usertable_item(&i->group_p, i->group_end, len))) {
			if (!permit_is_group(*item, *len))
				return 1;
			complain(i, *item, *len, nested);
			errno = EPROTO;
			return -1;
		}
		i->group = NULL;
		*item = usertable_item(&i->p, i->end, len);
		if (!*item)
			return 0;
		if (!permit_is_group(*item, *len))
			return 1;
		if (enter(i, *item, *len) < 0)
			return -1;
	}
}

bool
permit_is_group(const char *s, size_t len)
{
	return len > 1 && len <= TABLE_KEY_MAX && *s == '&' && !memchr(s, '@', len);
}

/* Returns true if the key is a mailbox whose domain is in neither of the two forms. */
static bool
is_bad_name(const char *key, size_t n)
{
	char a[ADDR_DOMAIN_MAX + 1], u[ADDR_DOMAIN_MAX + 1];
	struct addr box;
	const char *domain;

	if (addr_mailbox(key, n, &box) < 0)
		return false;
	domain = addr_domain(&box);
	domain_fold(a, domain, strlen(domain));
	domain_fold_u(u, domain, strlen(domain));
	return strcmp(domain, a) != 0 && strcmp(domain, u) != 0;
}

bool
permit_is_bad_key(const char *key, size_t n)
{
	bool is_none = n == 1 && *key == '&';

	return is_none || (!permit_is_group(key, n) && is_bad_name(key, username_before_label(key, n)));
}

const char *
permit_bad_record(void *arg, struct table *t, const char *key, size_t n)
{
	const char *list, *item, *group;
	size_t list_len, len, group_len;

	(void)arg;
	if (table_get(t, key, n, &list, &list_len) != 1)
		return "cannot be looked up";
	for (item = list; (group = usertable_item(&item, list + list_len, &len)); ) {
		if (!permit_is_group(group, len))
			continue;
		if (permit_is_group(key, n))
			return nested;
		if (table_get_lower(t, group, len, &group, &group_len) != 1)
			return no_group;
	}
	return NULL;
}
