/* ISC licence, see LICENSE. */
#include "senders.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char anyone[] = "*", no_user[] = "-", nobody[] = "!";

/* The next item of the n octets at *p, which moves behind it; *len: its octets. NULL: there is none. */
static const char *
next_item(const char **p, const char *end, size_t *len)
{
	static const char between[] = {' ', '\t', '\r', '\n', ','};
	const char *item;

	while (*p < end && memchr(between, **p, sizeof between))
		++*p;
	item = *p;
	while (*p < end && !memchr(between, **p, sizeof between))
		++*p;
	*len = (size_t)(*p - item);
	return *len > 0 ? item : NULL;
}

static bool
is(const char *item, size_t len, const char *what)
{
	return len == 1 && *item == *what;
}

/* As table_get, of a name as it is, then in lower case. */
static int
get(struct senders *s, struct table *t, const char *name)
{
	size_t n = strlen(name);
	int r;

	if (n > TABLE_KEY_MAX) { /* who has an entry that cannot be found is not one without */
		errno = ENAMETOOLONG;
		return -1;
	}
	r = table_get(t, name, n, &s->list, &s->len);
	return r != 0 ? r : table_get_lower(t, name, n, &s->list, &s->len);
}

int
senders_find(struct senders *s, struct table *t, const char *user)
{
	const char *p, *item;
	size_t len;
	int r = 0;

	*s = (struct senders){ .list = "" };
	if (!user)
		r = get(s, t, no_user);
	else {
		if (addr_mailbox(user, strlen(user), &s->own) < 0 || !s->own.has_domain)
			s->own = (struct addr){ .text = "" };
		if (strcmp(user, anyone) != 0 && strcmp(user, no_user) != 0) /* whoever has such a name: it is no key of his */
			r = get(s, t, user);
		if (r == 0)
			r = get(s, t, anyone);
	}
	for (p = s->list; (item = next_item(&p, s->list + s->len, &len)); )
		s->stopped |= is(item, len, nobody);
	return r < 0 ? -1 : 0;
}

/* The same mailbox, or an extension of it: local+anything@domain. Case is the delivering server's; here it is none. */
static bool
is_box(const struct addr *box, const struct addr *a)
{
	size_t n = box->local_len;

	return a->local_len >= n && strncasecmp(a->text, box->text, n) == 0 && (a->local_len == n || a->text[n] == '+') &&
	    strcasecmp(addr_domain(a), addr_domain(box)) == 0;
}

/*
 * a's domain is the n octets at s, or below them where they begin with a dot. Not with quotes in front: a careless
 * reader finds another address in them.
 */
static bool
is_domain(const char *s, size_t n, const struct addr *a)
{
	const char *domain = addr_domain(a);
	size_t len = strlen(domain);

	if (*a->text == '"')
		return false;
	if (*s == '.')
		return len > n && strncasecmp(domain + len - n, s, n) == 0;
	return len == n && strncasecmp(domain, s, n) == 0;
}

/* 1, 0, or -1: it is no item. */
static int
item_has(const char *item, size_t len, const struct addr *a)
{
	struct addr box;
	size_t dot;

	if (is(item, len, anyone))
		return 1;
	if (*item == '@' && len > 1) {
		dot = item[1] == '.';
		return addr_is_domain(item + 1 + dot, len - 1 - dot) ? is_domain(item + 1, len - 1, a) : -1;
	}
	return addr_mailbox(item, len, &box) == 0 && box.has_domain ? is_box(&box, a) : -1;
}

int
senders_has(const struct senders *s, const struct addr *a, const char **bad, size_t *bad_len)
{
	const char *p = s->list;
	int r = !s->stopped && *s->own.text && is_box(&s->own, a);

	while (r == 0 && !s->stopped && (*bad = next_item(&p, s->list + s->len, bad_len)))
		r = item_has(*bad, *bad_len, a);
	if (r < 0)
		errno = EPROTO;
	return r;
}
