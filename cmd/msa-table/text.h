/* ISC licence, see LICENSE. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/*
 * A table as text: one record is a key, blanks and a value, to the end of the line. A line that begins with a blank
 * goes on with the value of the record before. Empty lines, and lines whose first character is "#", are comments. In
 * keys and values a backslash and three octal digits are one octet.
 */
enum { TEXT_MAX = 1 << 29 }; /* octets of a text */

/* A record, with the line that it begins on. Its texts are owned by the reader. */
struct record {
	const char *key, *value;
	size_t key_len, value_len;
	size_t line;
};

struct text {
	const char *p; /* what is left of the text, n octets */
	size_t n;
	size_t line;   /* of p, from 1 */
	bool raw;      /* a backslash means nothing: the text is another program's */
	struct buf key, value;
	const char *why; /* if text_next returns -1: what is wrong with the line r->line */
};

/* Begin to read text[0..n), which must outlive t. */
void text_begin(struct text *t, const char *text, size_t n, bool raw);

/* Read the next record, valid until the next call. Returns 1, 0 at the end, or -1 with t->why and r->line set. */
int text_next(struct text *t, struct record *r);

void text_free(struct text *t);

/* Append a record as a line. Returns 0, or -1 with errno set (ENOMEM). */
int text_add(struct buf *b, const struct record *r);

#endif
