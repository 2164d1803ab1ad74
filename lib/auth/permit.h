/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_PERMIT_H
#define MSA_AUTH_PERMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/usertable.h"

/*
 * What a table of rights(8) says of a user: the user's record and, if there is one, the record "user/label" of the
 * password that the user gave. The second narrows the first: what is not in both lists is not allowed. An item "&name"
 * stands for the list in the record of that group. A group's list names no further group, so no list is without end.
 */
struct permit {
	struct usertable *table;
	const char *user;  /* borrowed; NULL: a peer that need not authenticate */
	const char *label; /* borrowed; NULL: none */
	struct permit_record {
		const char *list; /* borrowed from the table; "" if there is no record */
		size_t len;
		bool found;
	} own, narrow;
};

/*
 * Find the records. label is NULL or "" if the password is not known; table must have the members labels and groups
 * set. Returns 0, or -1 with errno set as usertable_get.
 */
int permit_find(struct permit *p, struct usertable *t, const char *user, const char *label);

/* The items of a record, with those of its groups in the places of their names. */
struct permit_items {
	const struct permit *permit;
	bool is_narrow;
	const char *p, *end;             /* what is left of the record */
	const char *group;               /* the name of the group whose items are next, group_len octets; NULL: no group */
	size_t group_len;
	const char *group_p, *group_end; /* what is left of its list */
};

/* Begin with p's record, or with the one that narrows it. */
void permit_begin(struct permit_items *i, const struct permit *p, bool is_narrow);

/*
 * Find the next item, which is no group. Returns 1; 0 at the end; or -1 with errno set and the table's why: a group is
 * not there, names a group, or cannot be looked up.
 */
int permit_next(struct permit_items *i, const char **item, size_t *len);

/* The item is not valid: set errno to EPROTO, and the table's why. Returns -1. */
int permit_blame(const struct permit_items *i, const char *item, size_t len);

/* Is s[0..len) the name of a group, "&name"? Addresses that begin with "&" have an at sign. */
bool permit_is_group(const char *s, size_t len);

/* Two members of struct usertable for such a table. */
bool permit_is_bad_key(const char *key, size_t n);
const char *permit_bad_record(void *arg, struct table *t, const char *key, size_t n);

#endif
