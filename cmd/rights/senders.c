/* ISC licence, see LICENSE. */
#include "senders.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool
is(const char *item, size_t len, char what)
{
	return len == 1 && *item == what;
}

int
senders_find(struct senders *s, struct usertable *t, const char *user)
{
	const char *p, *item;
	size_t len;

	*s = (struct senders){ .list = "" };
	if (user && (addr_mailbox(user, strlen(user), &s->own) < 0 || !s->own.has_domain))
		s->own = (struct addr){ .text = "" };
	if (usertable_get(t, user, &s->list, &s->len) < 0)
		return -1;
	for (p = s->list; (item = usertable_item(&p, s->list + s->len, &len)); )
		s->stopped |= is(item, len, '!');
	return 0;
}

/*
 * Is a the mailbox, or an extension of it, local+anything@domain? Upper and lower case are equal here; only the
 * delivering server knows whether they differ.
 */
static bool
is_box(const struct addr *box, const struct addr *a)
{
	size_t n = box->local_len;

	return a->local_len >= n && strncasecmp(a->text, box->text, n) == 0 && (a->local_len == n || a->text[n] == '+') &&
	    strcasecmp(addr_domain(a), addr_domain(box)) == 0;
}

/*
 * Is the domain of a the n octets at s, or below them if they begin with a dot? An address with a quoted local part
 * never matches: a careless reader may see another address in the quotes.
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

/* Does the item allow a? Returns 1, 0, or -1: the item is invalid. */
static int
item_has(const char *item, size_t len, const struct addr *a)
{
	struct addr box;
	size_t dot;

	if (is(item, len, '*'))
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

	while (r == 0 && !s->stopped && (*bad = usertable_item(&p, s->list + s->len, bad_len)))
		r = item_has(*bad, *bad_len, a);
	if (r < 0)
		errno = EPROTO;
	return r;
}

const char *
senders_bad(const char *list, size_t n, size_t *len)
{
	const struct addr nobody = { .text = "" };
	const char *item, *p = list;

	while ((item = usertable_item(&p, list + n, len)) && (is(item, *len, '!') || item_has(item, *len, &nobody) >= 0))
		;
	return item;
}
