/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_SMTPDATA_H
#define MSA_MAIL_SMTPDATA_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/msgfile.h"

/*
 * The text of a message as it comes in: by DATA, ended by CR LF "." CR LF and nothing else (RFC 5321 4.1.1.4), or by
 * BDAT, counted (RFC 3030). Both look for what may not stand in a text: a bare CR, a bare LF, a NUL. Those end no
 * line and are taken like other octets, and the flag says that the message is to be refused after its true end, so
 * nothing behind them is ever taken for commands.
 *
 * mend is for a printer of the house that ends its lines with LF: by DATA a bare LF becomes CRLF. The message's end and
 * its stuffed dots are still told by CRLF alone, so no text ends, or begins a command, for us where it did not for
 * somebody in front of us; and what is taken has no dots stuffed, so a lone dot behind a bare LF is text, and whoever
 * sends it on stuffs it.
 */
enum smtpdata_state { SMTPDATA_START, SMTPDATA_LINE, SMTPDATA_CR, SMTPDATA_DOT, SMTPDATA_DOT_CR };

/* Zero-initialised it stands before the first octet, mends nothing and has no limit. */
struct smtpdata {
	enum smtpdata_state state;
	bool mend;       /* by DATA a bare LF becomes CRLF */
	bool bare;       /* a bare CR, a bare LF (that was not mended) or a NUL was seen */
	bool is_long;    /* a line had more than line_max octets */
	size_t line_max; /* with CRLF, without a stuffed dot (RFC 5321 4.5.3.1.6); 0: no limit */
	size_t line;     /* octets so far of the one that is coming in */
};

/*
 * Take the n octets in, without dot-stuffing, into m (NULL: nowhere). *used: how many were of the message; what is
 * behind them is the next command. 1: the end was seen. 0: more is wanted. -1: msgfile_add's errno; call again with
 * m NULL and the rest to get to the end.
 */
int smtpdata_dots(struct smtpdata *d, const char *in, size_t n, size_t *used, struct msgfile *m);

/*
 * Take all n octets of a BDAT chunk into m. text: not BODY=BINARYMIME, so look for bare ones. last: of the last chunk;
 * a CR at the end of a text is then a bare one, and a last line without CRLF gets it, as every line has one (chain(7)
 * MESSAGE). 0, or -1 with msgfile_add's errno (all n are dealt with).
 */
int smtpdata_octets(struct smtpdata *d, const char *in, size_t n, bool text, bool last, struct msgfile *m);

#endif
