/* ISC licence, see LICENSE. */
#ifndef ROUTES_H
#define ROUTES_H

#include <stdbool.h>
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

/*
 * Returns true if name[0..n) can be the name of a chain: the path of a resident, or the name of a program or of a
 * resident in the directory of -d.
 */
bool routes_is_chain(const char *name, size_t n);
#define ROUTES_ITEM "neither a path nor the name of a program"

/* The members of struct usertable for this table, whose keys may have capital letters: bad, what, and is_bad_key. */
const char *routes_bad(const char *value, size_t n, size_t *len);
bool routes_is_bad_key(const char *key, size_t n);

#endif
