/* ISC licence, see LICENSE. */
#include "smtp/postmaster.h"

#include <string.h>
#include <strings.h>

#include "smtp/addr.h"
#include "smtp/domain.h"

static const char name[] = "postmaster";

const char *
postmaster_add(struct postmaster *p, const char *domain)
{
	if (!addr_is_domain(domain, strlen(domain)))
		return "not a domain";
	if (p->n == POSTMASTER_DOMAINS)
		return "too many domains";
	p->domain[p->n++] = domain;
	return NULL;
}

bool
postmaster_is(const struct postmaster *p, const char *path, size_t len)
{
	char its[ADDR_DOMAIN_MAX + 1], one[ADDR_DOMAIN_MAX + 1];
	size_t n = sizeof name - 1, i;

	if (p->n == 0 || len < n || strncasecmp(path, name, n) != 0)
		return false;
	if (len == n)
		return true;
	if (path[n] != '@')
		return false;
	domain_fold(its, path + n + 1, len - n - 1);
	for (i = 0; i < p->n; i++) {
		domain_fold(one, p->domain[i], strlen(p->domain[i]));
		if (strcmp(its, one) == 0)
			return true;
	}
	return false;
}
