/* ISC licence, see LICENSE. */
#include "rules.h"

#include <errno.h>
#include <string.h>

int
rules_open(struct rules *r, const char *path)
{
	return table_open(&r->table, path);
}

int
rules_refresh(struct rules *r)
{
	struct table now;

	if (!table_changed(&r->table))
		return 0;
	if (table_open(&now, r->table.path) < 0)
		return -1;
	table_close(&r->table);
	r->table = now;
	return 1;
}

/* What rules may not say: tlsd knows it itself. */
static int
is_ours(const char *name)
{
	return strcmp(name, "PROTO") == 0 || strcmp(name, "MSA_SESSION") == 0 || strncmp(name, "TCP", 3) == 0;
}

/* Data of tcprules: "D", or "+NAME=value" NUL, as often as there are. */
static enum rules_result
apply(const char *p, size_t n, struct facts *f)
{
	char name[64];

	while (n > 0) {
		const char *nul, *equals;

		if (*p == 'D')
			return RULES_DENY;
		nul = memchr(p, '\0', n);
		equals = nul ? memchr(p, '=', (size_t)(nul - p)) : NULL;
		if (*p != '+' || !equals) {
			errno = EPROTO;
			return RULES_ERROR;
		}
		if ((size_t)(equals - p) <= sizeof name) {
			memcpy(name, p + 1, (size_t)(equals - p - 1));
			name[equals - p - 1] = '\0';
			if (facts_owner(name) == FACTS_OPERATOR && !is_ours(name) && facts_set(f, name, equals + 1) < 0)
				return RULES_ERROR;
		}
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
	return RULES_ALLOW;
}

enum rules_result
rules_look(struct rules *r, const char *ip, struct facts *f)
{
	size_t n = ip ? strlen(ip) : 0;
	const char *value;
	size_t len;
	int found;

	for (;;) {
		found = table_get(&r->table, ip ? ip : "", n, &value, &len);
		if (found < 0)
			return RULES_ERROR;
		if (found)
			return apply(value, len, f);
		if (n == 0)
			return RULES_ALLOW;
		for (n--; n > 0 && ip[n - 1] != '.' && ip[n - 1] != ':'; n--)
			;
	}
}

void
rules_close(struct rules *r)
{
	table_close(&r->table);
}
