/* ISC licence, see LICENSE. */
#ifndef XCLIENT_H
#define XCLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "chain/facts.h"
#include "msa/buf.h"

/* XCLIENT, the command by which a trusted proxy tells an SMTP server who the client is. */
struct xclient {
	bool is_offered;
	unsigned attributes; /* bits, in the order of xclient.c */
};

/* Take a line of an EHLO reply, without its code. Every line but that of XCLIENT is skipped. */
void xclient_take(struct xclient *x, const char *text, size_t len);

/* Returns the first attribute that must be told (ADDR, and for a user LOGIN) and that x lacks; NULL: it has them. */
const char *xclient_lacks(const struct xclient *x, const struct facts *f);

/*
 * Append the command with the attributes that x has, from the facts of the call. An attribute that need not be told is
 * left out if the line would be too long. Returns 0, or -1 with errno set (ENOMEM; EMSGSIZE: the user's name is too
 * long).
 */
int xclient_command(struct buf *out, const struct xclient *x, const struct facts *f);

#endif
