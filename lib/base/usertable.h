/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_USERTABLE_H
#define MSA_BASE_USERTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"

/*
 * A table with a record for each user, who is its key in lower case: "*" is the record of all users without one of
 * their own, "-" that of peers who need not authenticate. A value is a list, items with blanks or commas between.
 */
enum { USERTABLE_WHY_MAX = 400 };

struct usertable {
	/* Set before: the first item of the n octets of a list that is none, *len octets; NULL: all are. What one is not. */
	const char *(*bad)(const char *list, size_t n, size_t *len);
	const char *what;

	struct table table;
	bool open;
	char why[USERTABLE_WHY_MAX]; /* what was wrong, where a function says so */
};

/*
 * 0: open. -1: why says what is wrong. whole: look at all of it, so that what would be a 451 for somebody later is one
 * thing wrong now: a list with a bad item, a key with a capital, which nobody would ever find.
 */
int usertable_open(struct usertable *u, const char *path, bool whole);

/* Open the file anew and look at all of it. 0, or -1: why says what is wrong, and what was open stays. */
int usertable_renew(struct usertable *u);

/*
 * The record of user, or NULL, a peer. Results as table_get, and -1 with errno ENAMETOOLONG: such a name cannot be a
 * key, and who has a record that cannot be found is not one without.
 */
int usertable_get(struct usertable *u, const char *user, const char **value, size_t *len);

/* The next item of what stands between *p and end; *p moves behind it, *len is its octets. NULL: there is none. */
const char *usertable_item(const char **p, const char *end, size_t *len);

/* Why of an item of user's record (NULL: a peer's) that is none. */
void usertable_blame(struct usertable *u, const char *user, const char *item, size_t len);

void usertable_close(struct usertable *u);

#endif
