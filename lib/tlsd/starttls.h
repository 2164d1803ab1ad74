/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_STARTTLS_H
#define MSA_TLSD_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"
#include "smtp/verb.h"

/*
 * TLS offered and not required: one command and its reply at a time pass between the client and a stage in the clear,
 * but only commands behind which another command must follow. What comes from the first other one on is not looked
 * into, so no text of a message and no line of an AUTH exchange can be taken for STARTTLS. Octets only: it reads and
 * writes nothing itself.
 */
enum { STARTTLS_REPLY_MAX = 16384 }; /* octets of the stage's reply to such a command */

enum starttls_result {
	STARTTLS_MORE,     /* no complete line in in */
	STARTTLS_PASS,     /* the first *n octets are one command, *verb: pass them, and its reply */
	STARTTLS_SAID, /* they are STARTTLS, for us; *argument: with one, which is an error */
	STARTTLS_BLIND,    /* anything else, a line that is too long or not ended by CRLF too: look no more */
};

enum starttls_result starttls_look(const struct buf *in, size_t *n, enum verb *verb, bool *argument);

/* May a command be looked at behind this reply? Not if it asks for something else, or is the end. */
bool starttls_goes_on(int code);

/*
 * Of the complete 250 reply to EHLO or LHLO that reply is: take out the line STARTTLS, and add (offer) one of ours. 0,
 * or -1 with errno ENOMEM.
 */
int starttls_offer(struct buf *reply, bool offer);

#endif
