/* ISC licence, see LICENSE. */
#include "tlsd/tcprules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/ipaddr.h"

int
tcprules_open(struct tcprules *r, const char *path)
{
	return table_open(&r->table, path);
}

int
tcprules_renew(struct tcprules *r)
{
	struct table fresh;

	if (table_open(&fresh, r->table.path) < 0) {
		table_refuse(&r->table, &fresh);
		return -1;
	}
	table_replace(&r->table, &fresh);
	return 0;
}

int
tcprules_refresh(struct tcprules *r)
{
	return table_changed(&r->table) ? tcprules_renew(r) : 0;
}

/* Variables that tlsd sets itself. */
static bool
is_ours(const char *name)
{
	return strcmp(name, "PROTO") == 0 || strcmp(name, "MSA_SESSION") == 0 || strncmp(name, "TCP", 3) == 0;
}

/* An entry of a record: "D", or "+NAME=value" NUL. */
struct entry {
	bool deny;
	char name[64];     /* "": longer than any of ours */
	const char *value; /* ends with NUL */
	size_t len;        /* of the whole entry */
};

/* Read the first entry of p[0..n), n > 0. Returns 0, or -1: there is none. */
static int
read_entry(struct entry *e, const char *p, size_t n)
{
	const char *nul = memchr(p, '\0', n), *equals = nul ? memchr(p, '=', (size_t)(nul - p)) : NULL;

	*e = (struct entry){ .deny = *p == 'D', .len = n };
	if (e->deny)
		return 0;
	if (*p != '+' || !equals)
		return -1;
	if ((size_t)(equals - p) <= sizeof e->name)
		memcpy(e->name, p + 1, (size_t)(equals - p - 1));
	e->value = equals + 1;
	e->len = (size_t)(nul + 1 - p);
	return 0;
}

static bool
can_set(const struct entry *e)
{
	return *e->name && facts_owner(e->name) == FACTS_OPERATOR && !is_ours(e->name);
}

/* Apply a record. */
static enum tcprules_result
apply(const char *p, size_t n, struct facts *f)
{
	struct entry e;

	for (; n > 0; p += e.len, n -= e.len) {
		if (read_entry(&e, p, n) < 0) {
			errno = EPROTO;
			return TCPRULES_ERROR;
		}
		if (e.deny)
			return TCPRULES_DENY;
		if (can_set(&e) && facts_set(f, e.name, e.value) < 0)
			return TCPRULES_ERROR;
	}
	return TCPRULES_ALLOW;
}

enum tcprules_result
tcprules_look(struct tcprules *r, const char *ip, struct facts *f)
{
	size_t n = ip ? strlen(ip) : 0;
	const char *value;
	size_t len;
	int found;

	for (;;) {
		found = table_get(&r->table, ip ? ip : "", n, &value, &len);
		if (found < 0)
			return TCPRULES_ERROR;
		if (found)
			return apply(value, len, f);
		if (n == 0)
			return TCPRULES_ALLOW;
		for (n--; n > 0 && ip[n - 1] != '.' && ip[n - 1] != ':'; n--)
			;
	}
}

const char *
tcprules_bad(const char *value, size_t n, size_t *len)
{
	struct entry e;

	for (; n > 0; value += e.len, n -= e.len) {
		*len = n;
		if (read_entry(&e, value, n) < 0)
			return value;
		*len = e.len;
		if (e.deny ? n != 1 : !can_set(&e))
			return value;
	}
	return NULL;
}

bool
tcprules_is_bad_key(const char *key, size_t n)
{
	char text[IPADDR_TEXT + 4], canonical[IPADDR_TEXT];
	bool v4 = memchr(key, '.', n) && !memchr(key, ':', n);
	struct ipaddr a;

	if (n == 0)
		return false;
	if (n >= IPADDR_TEXT)
		return true;
	snprintf(text, sizeof text, "%.*s", (int)n, key);
	if (ipaddr_parse(&a, text) == 0) {
		ipaddr_text(&a, canonical);
		return strcmp(text, canonical) != 0;
	}
	/* the start of an address, up to a dot or a colon */
	return strspn(text, v4 ? "0123456789." : "0123456789abcdef:") != n || key[n - 1] != (v4 ? '.' : ':');
}

void
tcprules_close(struct tcprules *r)
{
	table_close(&r->table);
}
