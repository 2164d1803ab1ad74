/* ISC licence, see LICENSE. */
#include "tlsd/tcprules.h"

#include <errno.h>
#include <string.h>

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

/* Apply a record of tcprules: "D", or any number of "+NAME=value" NUL. */
static enum tcprules_result
apply(const char *p, size_t n, struct facts *f)
{
	char name[64];

	while (n > 0) {
		const char *nul, *equals;

		if (*p == 'D')
			return TCPRULES_DENY;
		nul = memchr(p, '\0', n);
		equals = nul ? memchr(p, '=', (size_t)(nul - p)) : NULL;
		if (*p != '+' || !equals) {
			errno = EPROTO;
			return TCPRULES_ERROR;
		}
		if ((size_t)(equals - p) <= sizeof name) {
			memcpy(name, p + 1, (size_t)(equals - p - 1));
			name[equals - p - 1] = '\0';
			if (facts_owner(name) == FACTS_OPERATOR && !is_ours(name) && facts_set(f, name, equals + 1) < 0)
				return TCPRULES_ERROR;
		}
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
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

void
tcprules_close(struct tcprules *r)
{
	table_close(&r->table);
}
