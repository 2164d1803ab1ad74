/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_SENDERS_H
#define MSA_AUTH_SENDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/permit.h"
#include "base/usertable.h"
#include "smtp/addr.h"

/* An address of a message, and whether the user may send as it. */
struct claim {
	const char *where; /* the field, or MAIL FROM */
	struct addr addr;
	char domain[ADDR_DOMAIN_MAX + 1]; /* in the form of domain_fold */
	bool is_allowed;
	bool by_user; /* allowed but for the record of the password */
};

/* Fill in a claim. */
void claim_set(struct claim *c, const char *where, const struct addr *a);

/* The addresses that a user may send as, by the table of rights(8) -s. */
struct senders {
	struct permit permit;
	bool stopped;     /* an item is "!": the user may not send at all */
	bool any;         /* every list has an item "*", and none is "!": any address is allowed */
	struct addr own;  /* the user's name if it is a mailbox; otherwise text is "" */
};

/*
 * Find the records of user, NULL for a peer, and of the password with the label; NULL: not known. Returns 0, or -1 with
 * errno set; then t->why says what is wrong with a record, or is "": as usertable_get.
 */
int senders_find(struct senders *s, struct usertable *t, const char *user, const char *label);

/*
 * Set is_allowed of each of the n claims. Each list is read once, however many claims there are. Returns 0, or -1 as
 * senders_find (an item is not valid; only if not every claim is allowed by the items before it).
 */
int senders_judge(const struct senders *s, struct claim *claims, size_t n);

/*
 * Set *a to the address that stands for the user: the own one, or the first address in the lists, in ASCII. Returns 1;
 * 0: there is none, or the user may not send; or -1 as senders_find.
 */
int senders_address(const struct senders *s, struct addr *a);

/* The form of this table: a struct usertable has these members. */
const char *senders_bad(const char *list, size_t n, size_t *len);
#define SENDERS_ITEM "not an address, @domain, @.domain, &group, * or !"
#define SENDERS_FORM { .bad = senders_bad, .what = SENDERS_ITEM, .is_bad_key = permit_is_bad_key, \
	.labels = true, .groups = true, .bad_record = permit_bad_record }

#endif
