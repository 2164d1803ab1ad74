/* ISC licence, see LICENSE. */
#include "auth/pattern.h"

#include <string.h>
#include <strings.h>

#include "smtp/domain.h"

void
pattern_of(struct pattern *p, const struct addr *box)
{
	const char *domain = addr_domain(box);

	p->kind = PATTERN_BOX;
	p->box = *box;
	domain_fold(p->domain, domain, strlen(domain));
}

int
pattern_read(struct pattern *p, const char *s, size_t len)
{
	struct addr box;
	size_t at;

	if (len == 1 && *s == '*') {
		p->kind = PATTERN_ANY;
		return 0;
	}
	if (len > 1 && *s == '@') {
		p->kind = s[1] == '.' ? PATTERN_BELOW : PATTERN_DOMAIN;
		at = p->kind == PATTERN_BELOW ? 2 : 1;
		domain_fold(p->domain, s + at, len - at);
		return addr_is_domain(s + at, len - at) ? 0 : -1;
	}
	if (addr_mailbox(s, len, &box) < 0)
		return -1;
	pattern_of(p, &box);
	return 0;
}

/*
 * Is a the mailbox, or an extension of it, local+anything@domain? Upper and lower case are equal here; only the
 * delivering server knows whether they differ.
 */
static bool
is_box(const struct pattern *p, const struct addr *a, const char *domain)
{
	size_t n = p->box.local_len;

	return a->local_len >= n && strncasecmp(a->text, p->box.text, n) == 0 &&
	    (a->local_len == n || a->text[n] == '+') && strcmp(domain, p->domain) == 0;
}

/* Is the domain below that of the pattern? */
static bool
is_below(const struct pattern *p, const char *domain)
{
	size_t len = strlen(domain), n = strlen(p->domain);

	return len > n + 1 && domain[len - n - 1] == '.' && strcmp(domain + len - n, p->domain) == 0;
}

bool
pattern_fits(const struct pattern *p, const struct addr *a, const char *domain)
{
	switch (p->kind) {
	case PATTERN_BOX:
		return is_box(p, a, domain);
	case PATTERN_DOMAIN:
		return strcmp(domain, p->domain) == 0;
	case PATTERN_BELOW:
		return is_below(p, domain);
	case PATTERN_ANY:
		break;
	}
	return true;
}
