/* ISC licence, see LICENSE. */
#ifndef KINDS_H
#define KINDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/usertable.h"
#include "msa/buf.h"
#include "text.h"

/* A kind of table: what its records are, by the code that reads them in the program of the table. */
struct kind {
	const char *name;
	const char *reader;   /* the program and option that read it, for the usage */
	struct usertable form; /* the check of a record */
	/*
	 * Optional: append what the table has for a value of the text, or the text for a value of the table. Returns 0, or -1
	 * with *why set: what is wrong with the value.
	 */
	int (*encode)(struct buf *b, const char *text, size_t n, const char **why);
	int (*decode)(struct buf *b, const char *value, size_t n, const char **why);
	bool domains;    /* the check of a record asks for the site's domains, -d */
	const char *all; /* the text of the empty key; NULL: there is no such key */
};

/* Returns the kind of this name, or NULL. */
const struct kind *kind_find(const char *name);

/* Append the names of all kinds, with blanks between them. Returns 0, or -1 with errno set (ENOMEM). */
int kind_names(struct buf *b);

/*
 * Change a record of the text into one of the table, whose value is in b, or the other way. Returns 0, or -1 with *why
 * set.
 */
int kind_encode(const struct kind *k, struct record *r, struct buf *b, const char **why);
int kind_decode(const struct kind *k, struct record *r, struct buf *b, const char **why);

#endif
