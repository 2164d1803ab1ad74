/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_STARTTLS_H
#define MSA_TLSD_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"
#include "smtp/verb.h"

/*
 * Finds STARTTLS where TLS is optional. One command and its reply at a time pass between the client and the first
 * stage, but only commands after which the client's next line is a command again. From the first other line on, nothing
 * is looked at. So no text of a message, no chunk and no line of an AUTH exchange can be taken for STARTTLS. The module
 * reads and writes buffers, no descriptors.
 */
enum { STARTTLS_REPLY_MAX = 16384 }; /* octets of the first stage's reply */

enum starttls_result {
	STARTTLS_MORE,  /* in holds no complete line */
	STARTTLS_PASS,  /* the first *n octets are a command with this *verb: pass it and its reply */
	STARTTLS_SAID,  /* the first *n octets are STARTTLS; *argument: with an argument, which is an error */
	STARTTLS_BLIND, /* anything else, also a line that is too long or malformed: look at nothing more */
};

enum starttls_result starttls_look(const struct buf *in, size_t *n, enum verb *verb, bool *argument);

/* Returns true if the client's next line after this reply is a command: not after 3yz, 221 or 421. */
bool starttls_goes_on(int code);

/* Returns true if the keyword of this line of a reply to EHLO is STARTTLS. Keywords have letters, digits, hyphens. */
bool starttls_is_keyword(const char *text, size_t len);

/*
 * Remove the line STARTTLS from reply, a complete 250 reply to EHLO or LHLO, and with offer add ours. Returns 0, or -1
 * with errno set (ENOMEM).
 */
int starttls_offer(struct buf *reply, bool offer);

#endif
