/* ISC licence, see LICENSE. */
#include "senders.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char anyone[] = "*", no_user[] = "-";

/* As table_get, of a name as it is, then in lower case. */
static int
get(struct senders *s, struct table *t, const char *name)
{
	size_t n = strlen(name);
	int r = table_get(t, name, n, &s->list, &s->len);

	return r != 0 ? r : table_get_lower(t, name, n, &s->list, &s->len);
}

int
senders_find(struct senders *s, struct table *t, const char *user)
{
	int r = 0;

	*s = (struct senders){ .list = NULL };
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
	s->stopped = r > 0 && s->len == 1 && *s->list == '!';
	return r < 0 ? -1 : 0;
}

/* The same mailbox, or an extension of it: local+anything@domain. Case is the delivering server's; here it is none. */
static bool
is_box(const struct addr *box, const struct addr *a)
{
	size_t n = box->local_len;

	return a->local_len >= n && strncasecmp(a->text, box->text, n) == 0 && (a->local_len == n || a->text[n] == '+') &&
	    strcmp(addr_domain(a), addr_domain(box)) == 0;
}

/* a's domain is the n octets at s, or below them where they begin with a dot. */
static bool
is_domain(const char *s, size_t n, const struct addr *a)
{
	const char *domain = addr_domain(a);
	size_t len = strlen(domain);

	if (*s == '.')
		return len > n && strncasecmp(domain + len - n, s, n) == 0;
	return len == n && strncasecmp(domain, s, n) == 0;
}

int
senders_has(const struct senders *s, const struct addr *a, const char **bad, size_t *bad_len)
{
	static const char between[] = " \t\r\n,";
	const char *p = s->list, *end = p ? p + s->len : NULL;
	struct addr box;
	size_t n;

	if (s->stopped)
		return 0;
	if (*s->own.text && is_box(&s->own, a))
		return 1;
	for (; p < end; p += n) {
		for (n = 0; p + n < end && !memchr(between, p[n], sizeof between - 1); n++)
			;
		if (n == 0)
			n = 1;
		else if (n == 1 && *p == *anyone)
			return 1;
		else if (*p == '@' && n > 1 && addr_is_domain(p + 1 + (p[1] == '.'), n - 1 - (p[1] == '.'))) {
			if (is_domain(p + 1, n - 1, a))
				return 1;
		} else if (addr_mailbox(p, n, &box) == 0 && box.has_domain) {
			if (is_box(&box, a))
				return 1;
		} else {
			*bad = p;
			*bad_len = n;
			errno = EPROTO;
			return -1;
		}
	}
	return 0;
}
