/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_PATTERN_H
#define MSA_AUTH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/addr.h"

/* Which addresses an item of a table of rights(8) means. */
struct pattern {
	enum { PATTERN_BOX, PATTERN_DOMAIN, PATTERN_BELOW, PATTERN_ANY } kind;
	struct addr box;                  /* PATTERN_BOX */
	char domain[ADDR_DOMAIN_MAX + 1]; /* in the form of domain_fold */
};

/* Read an item: an address, "@domain", "@.domain" or "*". Returns 0, or -1: s[0..len) is not one. */
int pattern_read(struct pattern *p, const char *s, size_t len);

/* Make the pattern of one address. */
void pattern_of(struct pattern *p, const struct addr *box);

/* Does the pattern mean a, whose domain in the form of domain_fold is domain? */
bool pattern_fits(const struct pattern *p, const struct addr *a, const char *domain);

#endif
