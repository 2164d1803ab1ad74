/* ISC licence, see LICENSE. */
#ifndef BULK_H
#define BULK_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/userdb_edit.h"

/* The whole store as text, and text that becomes the store: msa-passwd -x and -b. */
enum {
	BULK_MAX = 67108864, /* octets of a list */
	BULK_ERRORS = 20,    /* that are named */
};

/* How many users a list has changed. */
struct bulk_count {
	size_t added, changed, removed, same;
};

/*
 * Read a list from descriptor fd, which is named "-" in errors, and put it into the store. only: users that the list
 * does not name are removed. What is wrong with the list is printed on standard error, with the numbers of the lines;
 * then nothing is changed.
 * Returns 0 with *count set; or 1: something is wrong with the list; or -1 with errno set. *r is set if a commit was
 * made.
 */
int bulk_take(struct userdb_change *c, int fd, bool only, struct bulk_count *count, enum userdb_commit *r);

/* Print the store so that bulk_take takes it. Returns 0, or -1 with errno set. */
int bulk_print(struct userdb_change *c);

#endif
