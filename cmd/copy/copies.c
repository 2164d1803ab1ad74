/* ISC licence, see LICENSE. */
#include "copies.h"

#include <string.h>
#include <strings.h>

#include "base/usertable.h"

static const char by_all[] = "*", by_user[] = "user:", by_sender[] = "from:";

/* Returns 0, or -1: s[0..len) is not a valid item. A copy must not need SMTPUTF8, which the message may lack. */
static int
item_read(struct addr *a, const char *s, size_t len)
{
	return addr_mailbox(s, len, a) < 0 || a->is_utf8 ? -1 : 0;
}

static bool
has(const struct copies *c, const struct addr *a)
{
	size_t i;

	for (i = 0; i < c->n && strcasecmp(c->to[i].text, a->text) != 0; i++)
		;
	return i < c->n;
}

static int
find(struct copies *c, struct table *t, enum copies_by by, const char *name, size_t n)
{
	switch (by) {
	case COPIES_BY_ALL:
		return addrtable_find_name(t, "", by_all, strlen(by_all), false, &c->record);
	case COPIES_BY_USER:
		return addrtable_find_name(t, by_user, name, n, true, &c->record);
	case COPIES_BY_SENDER:
		return addrtable_find(t, by_sender, name, n, ADDRTABLE_BELOW, &c->record);
	case COPIES_BY_RCPT:
		break;
	}
	return addrtable_find(t, "", name, n, ADDRTABLE_BELOW, &c->record);
}

enum copies_result
copies_add(struct copies *c, struct table *t, enum copies_by by, const char *name, size_t n)
{
	const char *p, *item;
	struct addr a;
	size_t len;

	if (find(c, t, by, name, n) < 0)
		return COPIES_ERROR;
	for (p = c->record.value; (item = usertable_item(&p, c->record.value + c->record.len, &len));) {
		c->bad = item;
		c->bad_len = len;
		if (item_read(&a, item, len) < 0)
			return COPIES_INVALID;
		if (has(c, &a))
			continue;
		c->bad = NULL;
		if (c->n == COPIES_MAX)
			return COPIES_INVALID;
		c->to[c->n++] = a;
	}
	return COPIES_OK;
}

const char *
copies_bad(const char *list, size_t n, size_t *len)
{
	const char *item, *p = list;
	struct addr a;

	while ((item = usertable_item(&p, list + n, len)) && item_read(&a, item, *len) == 0)
		;
	return item;
}

bool
copies_is_bad_key(const char *key, size_t n)
{
	size_t user = strlen(by_user), from = strlen(by_sender);

	if ((n == strlen(by_all) && *key == *by_all) || (n > user && strncmp(key, by_user, user) == 0))
		return false;
	return n > from && strncmp(key, by_sender, from) == 0 ? !addrtable_is_key(key + from, n - from) :
	    !addrtable_is_key(key, n);
}
