/* ISC licence, see LICENSE. */
#ifndef SENDERS_H
#define SENDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/usertable.h"
#include "smtp/addr.h"

/* As whom a user may send: his entry of the table, rights(8). */
struct senders {
	const char *list; /* borrowed from the table; items with blanks or commas between; no entry: none */
	size_t len;
	bool stopped;     /* one is "!": as nobody */
	struct addr own;  /* his name, where that is a mailbox; else text is "" */
};

/* The record of user, as usertable_get. 0, or -1 with errno. */
int senders_find(struct senders *s, struct usertable *t, const char *user);

/* 1: he may send as a; 0: he may not. -1 with errno EPROTO: *bad, *bad_len octets of list, is no item. */
int senders_has(const struct senders *s, const struct addr *a, const char **bad, size_t *bad_len);

/* The first item of a list that is none, for usertable.h; and what it is not then. */
const char *senders_bad(const char *list, size_t n, size_t *len);
#define SENDERS_ITEM "not an address, @domain, @.domain, * or !"

#endif
