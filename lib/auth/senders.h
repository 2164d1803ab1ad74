/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_SENDERS_H
#define MSA_AUTH_SENDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/usertable.h"
#include "smtp/addr.h"

/* An address of a message, and whether the user may send as it. */
struct claim {
	const char *where; /* the field, or MAIL FROM */
	struct addr addr;
	char domain[ADDR_DOMAIN_MAX + 1]; /* in the form of domain_fold */
	bool is_allowed;
};

/* Fill in a claim. */
void claim_set(struct claim *c, const char *where, const struct addr *a);

/* The addresses that a user may send as: the user's record in the table of rights(8). */
struct senders {
	const char *list; /* the record, borrowed from the table; empty if there is none */
	size_t len;
	bool stopped;     /* an item is "!": the user may not send at all */
	bool any;         /* an item is "*", and none is "!": any address is allowed */
	struct addr own;  /* the user's name if it is a mailbox; otherwise text is "" */
};

/* Find the record of user, NULL for a peer. Returns 0, or -1 with errno set as usertable_get. */
int senders_find(struct senders *s, struct usertable *t, const char *user);

/*
 * Set is_allowed of each of the n claims. The list is read once, however many claims there are. Returns 0, or -1 with
 * errno set (EPROTO: *bad, *bad_len octets of the list, is not a valid item; only if not every claim is allowed by the
 * items before it).
 */
int senders_judge(const struct senders *s, struct claim *claims, size_t n, const char **bad, size_t *bad_len);

/*
 * Set *a to the address that stands for the user: the own one, or the first address in the list, in ASCII. Returns 1;
 * 0: there is none, or the user may not send; or -1 with errno set as senders_judge.
 */
int senders_address(const struct senders *s, struct addr *a, const char **bad, size_t *bad_len);

/* The three members of struct usertable for this table: bad, what, and is_bad_key. */
const char *senders_bad(const char *list, size_t n, size_t *len);
bool senders_is_bad_key(const char *key, size_t n);
#define SENDERS_ITEM "not an address, @domain, @.domain, * or !"

#endif
