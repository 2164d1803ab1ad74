/* ISC licence, see LICENSE. */
#ifndef MAPPING_H
#define MAPPING_H

#include <stddef.h>

#include "aliases.h"
#include "base/table.h"
#include "smtp/addr.h"

/*
 * The table of rewrite(8): what becomes of an address. A key is an address, a domain, or a dot and a domain, for the
 * domains below. A value is an address (only for an address), a domain, or empty: the address stays.
 */
enum {
	MAPPING_SITES_MAX = 64,
	MAPPING_STEPS = 2, /* the result of a record is looked up once more: the name of a host, then that of a user */
};

struct mapping {
	struct table *table;                 /* NULL: there is none */
	const char *path;                    /* the table's, for the log */
	const char *site[MAPPING_SITES_MAX]; /* domains whose local parts may change; ".domain": the domains below */
	size_t sites;
};

struct mapped {
	struct addr to;
	char key[MAPPING_STEPS][TABLE_KEY_MAX + 1]; /* of the records that were used; "": none */
	bool is_alias; /* the domain is one for which the domain before it was an alias */
	const char *why; /* if the result is MAPPING_INVALID: a constant text */
};

enum mapping_result {
	MAPPING_SAME,
	MAPPING_CHANGED,
	MAPPING_INVALID, /* the record of the last key that is set cannot be used */
	MAPPING_ERROR,   /* errno is set: EPROTO, the table is damaged */
};

/* Find what becomes of an address with a domain. If the result is MAPPING_SAME, to is the address. */
enum mapping_result mapping_find(const struct mapping *m, const struct addr *from, struct mapped *d);

/*
 * The same, and then replace a domain that is an alias by the name for which it stands. The address keeps the alias if
 * the table would change the result: a second run would not end where the first one did. MAPPING_ERROR: also ENOMEM.
 */
enum mapping_result mapping_resolve(const struct mapping *m, struct aliases_asked *a, const struct addr *from,
    struct mapped *d);

/* The members of struct usertable for this table: bad, what, is_bad_key, and bad_record, whose arg is the mapping. */
const char *mapping_bad(const char *list, size_t n, size_t *len);
bool mapping_is_bad_key(const char *key, size_t n);
const char *mapping_bad_record(void *arg, struct table *t, const char *key, size_t n);
#define MAPPING_ITEM "not one address or domain in ASCII"

#endif
