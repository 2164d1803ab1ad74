/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_CLEARTEXT_H
#define MSA_TLSD_CLEARTEXT_H

#include <stdbool.h>

#include "msa/buf.h"
#include "net/lineio.h"
#include "smtp/patience.h"

/*
 * The SMTP dialogue before TLS, where TLS is required (RFC 3207 4): EHLO, NOOP, STARTTLS and QUIT are served, every
 * other command is answered 530 5.7.0. The same code serves the dialogue within TLS of a client that lacks the required
 * certificate (RFC 3207 4.1): every command but QUIT is answered 554 5.7.0.
 *
 * The chunk that a BDAT command announces (RFC 3030 2) is skipped and never read as commands. If its length is unknown,
 * because the line is malformed or too long, the connection ends with 421 4.5.4.
 *
 * The dialogue ends with 421 4.7.0 at a line of another protocol (verb_is_foreign), and after more than
 * CHAIN_ERRORS_MAX refused commands, or more than CHAIN_IDLE_MAX commands of any kind.
 *
 * The module reads and writes buffers, no descriptors. The caller ends a client that is too slow.
 */
struct cleartext {
	const char *host; /* our name; borrowed */
	bool lmtp;        /* LHLO in EHLO's place (RFC 2033 4.1) */
	bool refused;     /* the client lacks the required certificate; the caller sets it */

	/* The rest is the module's own. */
	const char *end;             /* why the dialogue ended, for the log; NULL: the client sent QUIT */
	bool dropping;               /* in the middle of a line that is too long; head is its start */
	char head[LINEIO_HEAD];
	long long chunk;             /* octets of a chunk still to skip; then its BDAT is answered */
	struct patience patience;
};

enum cleartext_result {
	CLEARTEXT_MORE,     /* in holds no complete line */
	CLEARTEXT_LINE,     /* one command was taken; in may hold another */
	CLEARTEXT_STARTTLS, /* not answered yet: the caller adds REPLY_START_TLS or REPLY_NO_TLS_NOW. What is left in in was
	                     * sent too early (pipelined) and must be discarded */
	CLEARTEXT_END,      /* the last reply, 221 or 421, is in out: close */
	CLEARTEXT_ERROR,    /* errno is ENOMEM */
};

/* Initialise c. host is borrowed. The caller sends the greeting (greet_banner). */
void cleartext_open(struct cleartext *c, const char *host, bool lmtp);

/* Remove one command from in and append the reply to out. Limits a line as lineio_line does. */
enum cleartext_result cleartext_take(struct cleartext *c, struct buf *in, struct buf *out);

#endif
