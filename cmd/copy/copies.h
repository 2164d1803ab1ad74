/* ISC licence, see LICENSE. */
#ifndef COPIES_H
#define COPIES_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/addr.h"
#include "smtp/addrtable.h"

/* The addresses that get a copy of a message, as the table of copy(8) says. */
enum { COPIES_MAX = 100 };

struct copies {
	struct addr to[COPIES_MAX];
	size_t n;
	struct addrtable_record record; /* the record that was found last */
	const char *bad; /* if the result is COPIES_INVALID: bad_len octets of the record; NULL: too many addresses */
	size_t bad_len;
};

enum copies_by {
	COPIES_BY_ALL,    /* the key is "*" */
	COPIES_BY_USER,   /* "user:" and the user's name */
	COPIES_BY_SENDER, /* "from:" and the reverse-path, or its domain, or a domain above with a dot before it */
	COPIES_BY_RCPT,   /* the same three of a forward-path, without a prefix */
};

enum copies_result {
	COPIES_OK,
	COPIES_INVALID, /* the record is invalid */
	COPIES_ERROR,   /* errno is set: EPROTO, the table is damaged */
};

/* Add the addresses of the record for name[0..n), if t has one; an address that is there already is not added again. */
enum copies_result copies_add(struct copies *c, struct table *t, enum copies_by by, const char *name, size_t n);

/* The members of struct usertable for this table: bad, what, and is_bad_key. */
const char *copies_bad(const char *list, size_t n, size_t *len);
bool copies_is_bad_key(const char *key, size_t n);
#define COPIES_ITEM "not an address in ASCII"

#endif
