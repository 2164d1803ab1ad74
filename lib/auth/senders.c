/* ISC licence, see LICENSE. */
#include "auth/senders.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "smtp/domain.h"

/* An item of a list, ready to be compared. */
struct item {
	enum { ITEM_BOX, ITEM_DOMAIN, ITEM_BELOW, ITEM_ANY, ITEM_NONE } kind;
	struct addr box;                  /* ITEM_BOX */
	char domain[ADDR_DOMAIN_MAX + 1]; /* in the form of domain_fold */
};

void
claim_set(struct claim *c, const char *where, const struct addr *a)
{
	const char *domain = addr_domain(a);

	c->where = where;
	c->addr = *a;
	c->is_allowed = false;
	domain_fold(c->domain, domain, strlen(domain));
}

static void
item_set_box(struct item *i, const struct addr *box)
{
	const char *domain = addr_domain(box);

	i->kind = ITEM_BOX;
	i->box = *box;
	domain_fold(i->domain, domain, strlen(domain));
}

/* Returns 0, or -1: s[0..len) is not a valid item. */
static int
item_read(struct item *i, const char *s, size_t len)
{
	struct addr box;
	size_t at;

	if (len == 1 && (*s == '*' || *s == '!')) {
		i->kind = *s == '*' ? ITEM_ANY : ITEM_NONE;
		return 0;
	}
	if (len > 1 && *s == '@') {
		i->kind = s[1] == '.' ? ITEM_BELOW : ITEM_DOMAIN;
		at = i->kind == ITEM_BELOW ? 2 : 1;
		domain_fold(i->domain, s + at, len - at);
		return addr_is_domain(s + at, len - at) ? 0 : -1;
	}
	if (addr_mailbox(s, len, &box) < 0)
		return -1;
	item_set_box(i, &box);
	return 0;
}

/*
 * Is c the mailbox, or an extension of it, local+anything@domain? Upper and lower case are equal here; only the
 * delivering server knows whether they differ.
 */
static bool
is_box(const struct item *i, const struct claim *c)
{
	const struct addr *a = &c->addr;
	size_t n = i->box.local_len;

	return a->local_len >= n && strncasecmp(a->text, i->box.text, n) == 0 &&
	    (a->local_len == n || a->text[n] == '+') && strcmp(c->domain, i->domain) == 0;
}

/* Is the domain of c below that of the item? */
static bool
is_below(const struct item *i, const struct claim *c)
{
	size_t len = strlen(c->domain), n = strlen(i->domain);

	return len > n + 1 && c->domain[len - n - 1] == '.' && strcmp(c->domain + len - n, i->domain) == 0;
}

/*
 * Does the item allow c? A domain never allows an address with a quoted local part: a careless reader may see another
 * address in the quotes.
 */
static bool
item_allows(const struct item *i, const struct claim *c)
{
	switch (i->kind) {
	case ITEM_BOX:
		return is_box(i, c);
	case ITEM_DOMAIN:
		return *c->addr.text != '"' && strcmp(c->domain, i->domain) == 0;
	case ITEM_BELOW:
		return *c->addr.text != '"' && is_below(i, c);
	case ITEM_ANY:
		return true;
	case ITEM_NONE:
		break;
	}
	return false;
}

/* Returns how many claims are not allowed yet. */
static size_t
judge_by(const struct item *i, struct claim *claims, size_t n)
{
	size_t k, left = 0;

	for (k = 0; k < n; k++) {
		claims[k].is_allowed = claims[k].is_allowed || item_allows(i, &claims[k]);
		left += !claims[k].is_allowed;
	}
	return left;
}

/*
 * Find the record of a user whose name is an address: under the name with A-labels, or with U-labels. Returns as
 * usertable_get.
 */
static int
find_address(struct usertable *t, const char *user, const char **value, size_t *len)
{
	char with_a[ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 2], with_u[sizeof with_a];
	const char *names[] = { with_a, with_u }, *domain = strrchr(user, '@') + 1;
	size_t local = (size_t)(domain - user);

	memcpy(with_a, user, local);
	memcpy(with_u, user, local);
	domain_fold(with_a + local, domain, strlen(domain));
	domain_fold_u(with_u + local, domain, strlen(domain));
	return usertable_get_any(t, names, 2, value, len);
}

int
senders_find(struct senders *s, struct usertable *t, const char *user)
{
	const char *p, *item;
	size_t len;
	int r;

	*s = (struct senders){ .list = "" };
	if (user && addr_mailbox(user, strlen(user), &s->own) == 0)
		r = find_address(t, user, &s->list, &s->len);
	else {
		s->own = (struct addr){ .text = "" };
		r = usertable_get(t, user, &s->list, &s->len);
	}
	for (p = s->list; r >= 0 && (item = usertable_item(&p, s->list + s->len, &len)); ) {
		s->stopped |= len == 1 && *item == '!';
		s->any |= len == 1 && *item == '*';
	}
	s->any &= !s->stopped;
	return r < 0 ? -1 : 0;
}

int
senders_judge(const struct senders *s, struct claim *claims, size_t n, const char **bad, size_t *bad_len)
{
	const char *p = s->list;
	struct item item;
	size_t left = n;

	if (s->stopped)
		return 0;
	if (*s->own.text) {
		item_set_box(&item, &s->own);
		left = judge_by(&item, claims, n);
	}
	while (left > 0 && (*bad = usertable_item(&p, s->list + s->len, bad_len))) {
		if (item_read(&item, *bad, *bad_len) < 0) {
			errno = EPROTO;
			return -1;
		}
		left = judge_by(&item, claims, n);
	}
	return 0;
}

int
senders_address(const struct senders *s, struct addr *a, const char **bad, size_t *bad_len)
{
	const char *p = s->list;
	struct item item;

	if (s->stopped)
		return 0;
	*a = s->own;
	if (a->is_utf8)
		*a = (struct addr){ .len = 0 };
	while (!*a->text && (*bad = usertable_item(&p, s->list + s->len, bad_len))) {
		if (item_read(&item, *bad, *bad_len) < 0) {
			errno = EPROTO;
			return -1;
		}
		if (item.kind == ITEM_BOX && !item.box.is_utf8)
			*a = item.box;
	}
	return *a->text != '\0';
}

const char *
senders_bad(const char *list, size_t n, size_t *len)
{
	const char *text, *p = list;
	struct item item;

	while ((text = usertable_item(&p, list + n, len)) && item_read(&item, text, *len) == 0)
		;
	return text;
}

bool
senders_is_bad_key(const char *key, size_t n)
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
