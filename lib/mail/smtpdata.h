/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_SMTPDATA_H
#define MSA_MAIL_SMTPDATA_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/msgfile.h"

/*
 * The text of a message as it arrives: by DATA, ended only by CR LF "." CR LF (RFC 5321 4.1.1.4), or by BDAT, counted
 * (RFC 3030). A text must not contain a bare CR, a bare LF or a NUL. Such an octet does not end a line; it is taken
 * like any other, and the flag bare tells the caller to refuse the message after its true end. So nothing after such
 * an octet is ever taken for a command.
 *
 * mend is for a device that ends its lines with LF: in DATA a bare LF becomes CRLF. Only CRLF marks the end of the
 * message and stuffed dots. We end the message exactly where an upstream relay would, so mending cannot open a
 * smuggling hole. The text has its dots unstuffed: a single dot after a bare LF is text, and a client that sends the
 * text on stuffs that dot.
 */
enum smtpdata_state { SMTPDATA_START, SMTPDATA_LINE, SMTPDATA_CR, SMTPDATA_DOT, SMTPDATA_DOT_CR };

/* Zero-initialised it is before the first octet, does not mend and has no limit. */
struct smtpdata {
	enum smtpdata_state state;
	bool mend;       /* in DATA a bare LF becomes CRLF */
	bool bare;       /* there was a bare CR, an unmended bare LF or a NUL */
	bool is_long;    /* a line had more than line_max octets */
	size_t line_max; /* octets with CRLF, without a stuffed dot (RFC 5321 4.5.3.1.6); 0: no limit */
	size_t line;     /* octets so far of the current line */
};

/*
 * Append n octets of DATA to m, dots unstuffed; m may be NULL. *used is how many of them belong to the message; the
 * next command follows. Returns 1 (the end of the message was found), 0 (more octets are needed), or -1 with errno set
 * as msgfile_add: then call again with m NULL and the remaining octets, to find the end.
 */
int smtpdata_dots(struct smtpdata *d, const char *in, size_t n, size_t *used, struct msgfile *m);

/*
 * Append all n octets of a BDAT chunk to m. text is false for BODY=BINARYMIME; then nothing is checked. last is set for
 * the end of the last chunk of a text: a CR there is bare, and a last line without CRLF gets one, because every line of
 * a message has one (chain(7) MESSAGE).
 * Returns 0, or -1 with errno set as msgfile_add; all n octets have been examined in either case.
 */
int smtpdata_octets(struct smtpdata *d, const char *in, size_t n, bool text, bool last, struct msgfile *m);

#endif
