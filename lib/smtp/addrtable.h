/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_ADDRTABLE_H
#define MSA_SMTP_ADDRTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"

/* A record of a table whose keys are addresses, domains or names of users, perhaps after a prefix such as "from:". */
struct addrtable_record {
	const char *value; /* len octets, borrowed from the table */
	size_t len;
	char key[TABLE_KEY_MAX + 1]; /* the key that was found, with its prefix; "": none */
};

enum {
	ADDRTABLE_EXACT = 1 << 0, /* look for the address as it is, before its form in lower case */
	ADDRTABLE_BELOW = 1 << 1, /* a key ".domain" is for all domains below this domain */
};

/*
 * Find the record of a path in canonical form: its key is the address in lower case; or else its domain; or else, with
 * ADDRTABLE_BELOW, a dot and the longest of the domains above. Returns 1; 0 with an empty key; or -1 with errno set as
 * table_get.
 */
int addrtable_find(struct table *t, const char *prefix, const char *path, size_t n, int how,
    struct addrtable_record *r);

/* Find the record of name[0..n), in lower case if fold is set. Returns as addrtable_find. */
int addrtable_find_name(struct table *t, const char *prefix, const char *name, size_t n, bool fold,
    struct addrtable_record *r);

/*
 * Returns true if key[0..n), without a prefix, is one that addrtable_find can look for with ADDRTABLE_BELOW, apart from
 * upper and lower case: an address, a domain, an address literal, or a dot and a domain.
 */
bool addrtable_is_key(const char *key, size_t n);

#endif
