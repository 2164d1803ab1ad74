/* ISC licence, see LICENSE. */
#ifndef SENDERS_H
#define SENDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/usertable.h"
#include "smtp/addr.h"

/* The addresses that a user may send as: the user's record in the table of rights(8). */
struct senders {
	const char *list; /* the record, borrowed from the table; empty if there is none */
	size_t len;
	bool stopped;     /* an item is "!": the user may not send at all */
	struct addr own;  /* the user's name if it is a mailbox; otherwise text is "" */
};

/* Find the record of user, NULL for a peer. Returns 0, or -1 with errno set as usertable_get. */
int senders_find(struct senders *s, struct usertable *t, const char *user);

/*
 * May the user send as a? Returns 1 (yes), 0 (no), or -1 with errno set (EPROTO: *bad, *bad_len octets of the list, is
 * not a valid item).
 */
int senders_has(const struct senders *s, const struct addr *a, const char **bad, size_t *bad_len);

/* The two members of struct usertable for this table: bad, and what. */
const char *senders_bad(const char *list, size_t n, size_t *len);
#define SENDERS_ITEM "not an address, @domain, @.domain, * or !"

#endif
