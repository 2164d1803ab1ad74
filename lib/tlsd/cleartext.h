/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_CLEARTEXT_H
#define MSA_TLSD_CLEARTEXT_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * The dialogue before TLS where TLS is required (RFC 3207 4): EHLO, NOOP, STARTTLS and QUIT are served, all else is
 * 530 5.7.0. Or the one within TLS where the client lacks the certificate that is required (RFC 3207 4.1): 554 5.7.0 to
 * all but QUIT. Octets in, replies out: it reads and writes nothing itself.
 */
enum { CLEARTEXT_ERRORS_MAX = 20 }; /* the command that is the 20th error is answered 421 4.7.0 */

struct cleartext {
	const char *host; /* our name; borrowed */
	bool lmtp;        /* LHLO in EHLO's place (RFC 2033 4.1) */
	bool refused;     /* for want of a certificate */
	bool dropping;    /* in the middle of a line that is too long */
	unsigned char errors;
};

enum cleartext_result {
	CLEARTEXT_MORE,     /* no complete line in in */
	CLEARTEXT_LINE,     /* one line was answered, there may be more */
	CLEARTEXT_STARTTLS, /* not answered: the caller says REPLY_START_TLS or REPLY_NO_TLS_NOW. What is left in in was
	                     * pipelined behind it and must not be taken for anything */
	CLEARTEXT_END,      /* 221 or 421 was said: close */
	CLEARTEXT_ERROR,    /* errno ENOMEM */
};

/* The greeting. 0, or -1 with errno ENOMEM. */
int cleartext_greet(const struct cleartext *c, struct buf *out);

/* Take one line off in and append its answer to out. The line's limits are those of lineio_line. */
enum cleartext_result cleartext_take(struct cleartext *c, struct buf *in, struct buf *out);

#endif
