/* ISC licence, see LICENSE. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/addr.h"
#include "smtp/addrtable.h"

/*
 * A record of the table of dkim-sign(8): its key is a domain, or a dot and a domain for the domains below; its value is
 * a list of items "selector:/file" or "selector@domain:/file".
 */
enum { RECORD_ITEMS_MAX = 8 }; /* signatures of a message, too */

struct record_item {
	char selector[ADDR_DOMAIN_MAX + 1]; /* tag s= */
	char domain[ADDR_DOMAIN_MAX + 1];   /* tag d= */
	const char *path; /* of the private key, path_len octets; borrowed from the list */
	size_t path_len;
};

/* Find the record of a domain in the form of domain_fold. Returns as addrtable_find. */
int record_find(struct table *t, const char *domain, struct addrtable_record *r);

/*
 * Read the next item between *p and end of the record whose key is key[0..n), and move *p after the item. Returns 1,
 * 0 if no item is left, or -1 if the item, len octets at *bad, is invalid.
 */
int record_item(const char **p, const char *end, const char *key, size_t n, struct record_item *i, const char **bad,
    size_t *len);

/* The members of struct usertable for this table: bad, what, and is_bad_key. */
const char *record_bad(const char *list, size_t n, size_t *len);
bool record_is_bad_key(const char *key, size_t n);
#define RECORD_ITEM "not selector:/file or selector@domain:/file"

#endif
