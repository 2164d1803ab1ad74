/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_RECIPIENTS_H
#define MSA_AUTH_RECIPIENTS_H

#include "auth/permit.h"
#include "base/usertable.h"
#include "smtp/addr.h"

/*
 * Whom a user may write to, by the table of rights(8) -t. A list allows and denies: an item that begins with "!"
 * denies, and denials win, wherever they stand. What no item of a list allows is denied.
 */
struct recipients {
	struct permit permit; /* a record that is not there allows everybody */
};

/* Find the records. Returns as senders_find. */
int recipients_find(struct recipients *r, struct usertable *t, const char *user, const char *label);

/* May the user write to a? Returns 1, 0, or -1 as senders_judge. */
int recipients_judge(const struct recipients *r, const struct addr *a);

/* The form of this table: a struct usertable has these members. */
const char *recipients_bad(const char *list, size_t n, size_t *len);
#define RECIPIENTS_ITEM "not an address, @domain, @.domain, *, ! or &group, nor ! and an address"
#define RECIPIENTS_FORM { .bad = recipients_bad, .what = RECIPIENTS_ITEM, .is_bad_key = permit_is_bad_key, \
	.labels = true, .groups = true, .bad_record = permit_bad_record }

#endif
