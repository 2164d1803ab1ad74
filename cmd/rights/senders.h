/* ISC licence, see LICENSE. */
#ifndef SENDERS_H
#define SENDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "table.h"

#define SENDERS_ITEM "not an address, @domain, @.domain, * or !"

/* As whom a user may send: his entry of the table, rights(8). */
struct senders {
	const char *list; /* borrowed from the table; items with blanks or commas between; no entry: none */
	size_t len;
	bool stopped;     /* one is "!": as nobody */
	struct addr own;  /* his name, where that is a mailbox; else text is "" */
};

/* The record of user, as table_get_user. 0, or -1 with errno. */
int senders_find(struct senders *s, struct table *t, const char *user);

/* 1: he may send as a; 0: he may not. -1 with errno EPROTO: *bad, *bad_len octets of list, is no item. */
int senders_has(const struct senders *s, const struct addr *a, const char **bad, size_t *bad_len);

/*
 * All of the table is as it should be. 0, or -1: why says what is not (cut to cap octets), of a record that would be a
 * 451 for its users.
 */
int senders_check(struct table *t, char *why, size_t cap);

#endif
