/* ISC licence, see LICENSE. */
#include "mapping.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/addrtable.h"

static bool
is_ascii(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && (unsigned char)s[i] < 128; i++)
		;
	return i == n;
}

/* Set *a to local[0..n) and the domain d[0..len). Returns 0, or -1: the result is too long. */
static int
join(struct addr *a, const char *local, size_t n, const char *d, size_t len)
{
	char text[ADDR_LOCAL_MAX * 2 + ADDR_DOMAIN_MAX + 8];
	int used = snprintf(text, sizeof text, "%.*s@%.*s", (int)n, local, (int)len, d);

	return used < (int)sizeof text ? addr_mailbox(text, (size_t)used, a) : -1;
}

/* Look an address up once. An address that would become too long stays. */
static enum mapping_result
step(const struct mapping *m, const struct addr *from, struct addr *to, char key[TABLE_KEY_MAX + 1], const char **why)
{
	struct addrtable_record r;
	int found = addrtable_find(m->table, "", from->text, from->len, ADDRTABLE_BELOW, &r);

	*to = *from;
	if (found <= 0)
		return found < 0 ? MAPPING_ERROR : MAPPING_SAME;
	memcpy(key, r.key, sizeof r.key);
	if (r.len == 0)
		return MAPPING_SAME;
	*why = MAPPING_ITEM;
	if (!is_ascii(r.value, r.len))
		return MAPPING_INVALID;
	if (addr_is_domain(r.value, r.len)) {
		if (join(to, from->text, from->local_len, r.value, r.len) < 0)
			*to = *from;
	} else if (addr_mailbox(r.value, r.len, to) < 0)
		return MAPPING_INVALID;
	else if (!strchr(r.key, '@')) {
		*why = "a domain cannot become an address";
		return MAPPING_INVALID;
	}
	return strcmp(to->text, from->text) == 0 ? MAPPING_SAME : MAPPING_CHANGED;
}

static bool
is_below(const char *domain, const char *dot)
{
	size_t n = strlen(domain), len = strlen(dot);

	return n > len && strcasecmp(domain + n - len, dot) == 0;
}

static bool
is_site(const struct mapping *m, const char *domain)
{
	size_t i;

	for (i = 0; i < m->sites; i++)
		if (m->site[i][0] == '.' ? is_below(domain, m->site[i]) : strcasecmp(domain, m->site[i]) == 0)
			return true;
	return false;
}

static bool
is_same_local(const struct addr *a, const struct addr *b)
{
	return a->local_len == b->local_len && memcmp(a->text, b->text, a->local_len) == 0;
}

enum mapping_result
mapping_find(const struct mapping *m, const struct addr *from, struct mapped *d)
{
	enum mapping_result r = m->table ? MAPPING_CHANGED : MAPPING_SAME;
	char beyond[TABLE_KEY_MAX + 1];
	struct addr next;
	int i;

	d->to = *from;
	d->is_alias = false;
	for (i = 0; i < MAPPING_STEPS; i++)
		d->key[i][0] = '\0';
	for (i = 0; r == MAPPING_CHANGED && i < MAPPING_STEPS; i++) {
		r = step(m, &d->to, &next, d->key[i], &d->why);
		d->to = next;
	}
	if (r == MAPPING_INVALID || r == MAPPING_ERROR)
		return r;
	if (r == MAPPING_CHANGED && (r = step(m, &d->to, &next, beyond, &d->why)) != MAPPING_SAME) {
		d->why = "the result would be rewritten again, and then once more";
		return r == MAPPING_ERROR ? r : MAPPING_INVALID;
	}
	if (strcmp(d->to.text, from->text) == 0)
		return MAPPING_SAME;
	if (is_same_local(from, &d->to) || is_site(m, addr_domain(from)))
		return MAPPING_CHANGED;
	d->why = "a local part would change in a domain that -d does not name"; /* RFC 6409 8.8 */
	return MAPPING_INVALID;
}

enum mapping_result
mapping_resolve(const struct mapping *m, struct aliases_asked *a, const struct addr *from, struct mapped *d)
{
	enum mapping_result r = mapping_find(m, from, d);
	const char *domain = addr_domain(&d->to), *name;
	struct mapped again;
	struct addr to;

	if ((r != MAPPING_SAME && r != MAPPING_CHANGED) || d->to.is_literal)
		return r;
	name = aliases_find(a, domain);
	if (!name)
		return MAPPING_ERROR;
	if (strcasecmp(name, domain) == 0 || join(&to, d->to.text, d->to.local_len, name, strlen(name)) < 0)
		return r;
	switch (mapping_find(m, &to, &again)) {
	case MAPPING_SAME:
		d->to = to;
		d->is_alias = true;
		return MAPPING_CHANGED;
	case MAPPING_ERROR:
		return MAPPING_ERROR;
	case MAPPING_CHANGED:
	case MAPPING_INVALID:
		break;
	}
	return aliases_note(a, domain, "in-table") < 0 ? MAPPING_ERROR : r;
}

const char *
mapping_bad(const char *list, size_t n, size_t *len)
{
	struct addr a;

	*len = n;
	return n == 0 || (is_ascii(list, n) && (addr_is_domain(list, n) || addr_mailbox(list, n, &a) == 0)) ? NULL : list;
}

bool
mapping_is_bad_key(const char *key, size_t n)
{
	return !addrtable_is_key(key, n);
}

const char *
mapping_bad_record(void *arg, struct table *t, const char *key, size_t n)
{
	struct mapping m = *(struct mapping *)arg;
	char text[TABLE_KEY_MAX + 3];
	struct mapped d;
	struct addr a;

	m.table = t;
	/* for a domain, an address in it; a key that is no address of RFC 5321 is never looked up */
	snprintf(text, sizeof text, "%s%.*s", memchr(key, '@', n) ? "" : *key == '.' ? "x@x" : "x@",
	    (int)(n < TABLE_KEY_MAX ? n : TABLE_KEY_MAX), key);
	if (addr_mailbox(text, strlen(text), &a) < 0)
		return NULL;
	return mapping_find(&m, &a, &d) == MAPPING_INVALID ? d.why : NULL;
}
