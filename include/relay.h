/* ISC licence, see LICENSE. */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "verb.h"

/*
 * TLS offered and not required: one command and its reply at a time pass between the client and a stage in the clear,
 * but only commands behind which another command must follow. What comes from the first other one on is not looked
 * into, so no text of a message and no line of an AUTH exchange can be taken for STARTTLS. Octets only: it reads and
 * writes nothing itself.
 */
enum { RELAY_REPLY_MAX = 16384 }; /* octets of the stage's reply to such a command */

enum relay_result {
	RELAY_MORE,     /* no complete line in in */
	RELAY_PASS,     /* the first *n octets are one command, *verb: pass them, and its reply */
	RELAY_STARTTLS, /* they are STARTTLS, for us; *argument: with one, which is an error */
	RELAY_BLIND,    /* anything else, a line that is too long or not ended by CRLF too: look no more */
};

enum relay_result relay_look(const struct buf *in, size_t *n, enum verb *verb, bool *argument);

/* May a command be looked at behind this reply? Not if it asks for something else, or is the end. */
bool relay_goes_on(int code);

/*
 * Of the complete 250 reply to EHLO or LHLO that reply is: take out the line STARTTLS, and add (offer) one of ours. 0,
 * or -1 with errno ENOMEM.
 */
int relay_offer(struct buf *reply, bool offer);

#endif
