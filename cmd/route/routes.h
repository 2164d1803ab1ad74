/* ISC licence, see LICENSE. */
#ifndef ROUTES_H
#define ROUTES_H

#include <stddef.h>

#include "smtp/addrtable.h"

/* The sender of a message, by whom its recipients can be routed. */
struct sender {
	const char *path; /* the reverse-path, path_len octets; empty: the null reverse-path */
	size_t path_len;
	const char *user; /* the authenticated user; NULL: none */
};

/*
 * Find the record that decides about the recipient to, len octets of a path in canonical form. The first of these keys
 * that the table has counts: the address, the address in lower case, its domain; "from:" with the same three of the
 * reverse-path; "user:" with the user's name. The value is the name of a chain; empty: the default chain.
 * Returns 1; 0 with an empty value and key, if no key is in the table; or -1 with errno set (EPROTO: it is damaged).
 */
int routes_find(struct table *t, const char *to, size_t len, const struct sender *from, struct addrtable_record *r);

#endif
