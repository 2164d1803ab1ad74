/* ISC licence, see LICENSE. */
#include "auth/recipients.h"

#include <string.h>

#include "auth/pattern.h"
#include "smtp/domain.h"

/* Read an item that is no group. Returns 0, or -1: not a valid item. */
static int
read_item(struct pattern *p, bool *denies, const char *s, size_t len)
{
	*denies = len > 0 && *s == '!';
	if (*denies && len == 1)
		return pattern_read(p, "*", 1);
	return pattern_read(p, s + *denies, len - *denies);
}

int
recipients_find(struct recipients *r, struct usertable *t, const char *user, const char *label)
{
	return permit_find(&r->permit, t, user, label);
}

/* Does a record allow a? Returns as recipients_judge. */
static int
judge_by(const struct recipients *r, bool is_narrow, const struct addr *a, const char *domain)
{
	struct permit_items i;
	struct pattern p;
	const char *item;
	bool allowed = false, denied = false, denies;
	size_t len;
	int more;

	permit_begin(&i, &r->permit, is_narrow);
	while ((more = permit_next(&i, &item, &len)) > 0) {
		if (read_item(&p, &denies, item, len) < 0)
			return permit_blame(&i, item, len);
		if (pattern_fits(&p, a, domain))
			*(denies ? &denied : &allowed) = true;
	}
	return more < 0 ? -1 : allowed && !denied;
}

int
recipients_judge(const struct recipients *r, const struct addr *a)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	const char *domain = addr_domain(a);
	int may = 1;

	domain_fold(folded, domain, strlen(domain));
	if (r->permit.own.found)
		may = judge_by(r, false, a, folded);
	if (may > 0 && r->permit.narrow.found)
		may = judge_by(r, true, a, folded);
	return may;
}

const char *
recipients_bad(const char *list, size_t n, size_t *len)
{
	const char *item, *p = list;
	struct pattern pattern;
	bool denies;

	while ((item = usertable_item(&p, list + n, len)))
		if (!permit_is_group(item, *len) && read_item(&pattern, &denies, item, *len) < 0)
			return item;
	return NULL;
}
