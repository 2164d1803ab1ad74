/* ISC licence, see LICENSE. */
#include "auth/senders.h"

#include <errno.h>
#include <string.h>

#include "auth/pattern.h"
#include "smtp/domain.h"

void
claim_set(struct claim *c, const char *where, const struct addr *a)
{
	const char *domain = addr_domain(a);

	c->where = where;
	c->addr = *a;
	c->is_allowed = c->by_user = false;
	domain_fold(c->domain, domain, strlen(domain));
}

static bool
is_stop(const char *item, size_t len)
{
	return len == 1 && *item == '!';
}

/*
 * Does the pattern allow c? A domain never allows an address with a quoted local part: a careless reader may see
 * another address in the quotes.
 */
static bool
allows(const struct pattern *p, const struct claim *c)
{
	bool is_domain = p->kind == PATTERN_DOMAIN || p->kind == PATTERN_BELOW;

	return !(is_domain && *c->addr.text == '"') && pattern_fits(p, &c->addr, c->domain);
}

/* Returns how many claims are not allowed yet. */
static size_t
judge_by(const struct pattern *p, struct claim *claims, size_t n)
{
	size_t k, left = 0;

	for (k = 0; k < n; k++) {
		claims[k].is_allowed = claims[k].is_allowed || allows(p, &claims[k]);
		left += !claims[k].is_allowed;
	}
	return left;
}

/* Look for "!" and "*" in a record. Returns 0, or -1 as permit_next. */
static int
look(struct senders *s, bool is_narrow, bool *any)
{
	struct permit_items i;
	const char *item;
	size_t len;
	int more;

	permit_begin(&i, &s->permit, is_narrow);
	while ((more = permit_next(&i, &item, &len)) > 0) {
		s->stopped |= is_stop(item, len);
		*any |= len == 1 && *item == '*';
	}
	return more;
}

int
senders_find(struct senders *s, struct usertable *t, const char *user, const char *label)
{
	bool narrow_any = false;

	*s = (struct senders){ .any = false };
	if (!user || addr_mailbox(user, strlen(user), &s->own) < 0)
		s->own = (struct addr){ .text = "" };
	if (permit_find(&s->permit, t, user, label) < 0 || look(s, false, &s->any) < 0 || look(s, true, &narrow_any) < 0)
		return -1;
	s->any &= !s->stopped && (narrow_any || !s->permit.narrow.found);
	return 0;
}

/* Judge the claims by a record. left: how many are not allowed yet. Returns 0, or -1 as senders_judge. */
static int
judge_list(const struct senders *s, bool is_narrow, struct claim *claims, size_t n, size_t left)
{
	struct permit_items i;
	struct pattern p;
	const char *item;
	size_t len;
	int more = 0;

	permit_begin(&i, &s->permit, is_narrow);
	while (left > 0 && (more = permit_next(&i, &item, &len)) > 0) {
		if (is_stop(item, len))
			continue;
		if (pattern_read(&p, item, len) < 0)
			return permit_blame(&i, item, len);
		left = judge_by(&p, claims, n);
	}
	return more < 0 ? -1 : 0;
}

int
senders_judge(const struct senders *s, struct claim *claims, size_t n)
{
	struct pattern own;
	size_t left = n, k;

	if (s->stopped)
		return 0;
	if (*s->own.text) {
		pattern_of(&own, &s->own);
		left = judge_by(&own, claims, n);
	}
	if (judge_list(s, false, claims, n, left) < 0)
		return -1;
	if (!s->permit.narrow.found)
		return 0;
	for (k = 0; k < n; k++) {
		claims[k].by_user = claims[k].is_allowed;
		claims[k].is_allowed = false;
	}
	if (judge_list(s, true, claims, n, n) < 0)
		return -1;
	for (k = 0; k < n; k++)
		claims[k].is_allowed = claims[k].is_allowed && claims[k].by_user;
	return 0;
}

/* Can the address stand for the user? Returns 1, 0, or -1 as senders_judge. */
static int
may_stand(const struct senders *s, const struct addr *a)
{
	struct claim c;

	if (!*a->text || a->is_utf8)
		return 0;
	claim_set(&c, "", a);
	return senders_judge(s, &c, 1) < 0 ? -1 : c.is_allowed;
}

/* Look for such an address in a record. Returns as senders_address. */
static int
find_address(const struct senders *s, bool is_narrow, struct addr *a)
{
	struct permit_items i;
	struct pattern p;
	const char *item;
	size_t len;
	int more, r = 0;

	permit_begin(&i, &s->permit, is_narrow);
	while (r == 0 && (more = permit_next(&i, &item, &len)) != 0) {
		if (more < 0)
			return -1;
		if (is_stop(item, len))
			continue;
		if (pattern_read(&p, item, len) < 0)
			return permit_blame(&i, item, len);
		if (p.kind == PATTERN_BOX)
			r = may_stand(s, &p.box);
	}
	if (r > 0)
		*a = p.box;
	return r;
}

int
senders_address(const struct senders *s, struct addr *a)
{
	int r;

	if (s->stopped)
		return 0;
	r = may_stand(s, &s->own);
	if (r > 0)
		*a = s->own;
	if (r == 0)
		r = find_address(s, false, a);
	return r == 0 ? find_address(s, true, a) : r;
}

const char *
senders_bad(const char *list, size_t n, size_t *len)
{
	const char *item, *p = list;
	struct pattern pattern;

	while ((item = usertable_item(&p, list + n, len)))
		if (!is_stop(item, *len) && !permit_is_group(item, *len) && pattern_read(&pattern, item, *len) < 0)
			return item;
	return NULL;
}
