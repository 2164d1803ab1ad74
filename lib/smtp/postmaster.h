/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_POSTMASTER_H
#define MSA_SMTP_POSTMASTER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The addresses of the postmaster of some domains, in any spelling (RFC 6409 6.4, RFC 5321 4.5.1): letters of any case,
 * and <postmaster> without a domain, which is that of this site.
 */
enum { POSTMASTER_DOMAINS = 100 };

struct postmaster {
	const char *domain[POSTMASTER_DOMAINS]; /* n of them, borrowed; none: nobody is meant */
	size_t n;
};

/* Add a domain. Returns NULL, or why it cannot be added, a constant text. */
const char *postmaster_add(struct postmaster *p, const char *domain);

/* Is the path of a recipient, without brackets, one of them? */
bool postmaster_is(const struct postmaster *p, const char *path, size_t len);

#endif
