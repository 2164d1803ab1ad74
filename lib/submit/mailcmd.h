/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_MAILCMD_H
#define MSA_SUBMIT_MAILCMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "smtp/addr.h"
#include "smtp/ehlo.h"
#include "smtp/fqdn.h"
#include "smtp/reply.h"

/*
 * A mail transaction (RFC 5321 3.3): what MAIL and RCPT have said, checked and in the canonical form of the envelope,
 * chain(7). Zero-initialised there is none.
 */
enum mailcmd_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

struct mailcmd {
	bool open;         /* MAIL was accepted */
	struct addr from;
	enum mailcmd_body body;
	bool smtputf8;
	bool prdr;         /* the client wants each recipient's own reply after the data: draft-hall-prdr */
	struct buf envelope; /* MAIL line and recipient lines so far, LF ends */
	size_t last;         /* where in it the last recipient's line begins */
	size_t nrcpt;
};

/* What MAIL and RCPT are held against. */
struct mailcmd_rules {
	struct ehlo offered;     /* what EHLO listed (no caps: after HELO, so no parameter is known) */
	struct fqdn *domains; /* borrowed */
};

/*
 * MAIL's and RCPT's argument ("FROM:<...> KEY=value"). The reply is the answer, REPLY_SENDER_OK or REPLY_RCPT_OK where
 * it was taken; out of memory is REPLY_NO_MEMORY. *detail: NULL, or the keyword the reply is about, in arg, *detail_len
 * octets.
 */
enum reply mailcmd_mail(struct mailcmd *t, const struct mailcmd_rules *rules, const char *arg, size_t len,
    const char **detail, size_t *detail_len);
enum reply mailcmd_rcpt(struct mailcmd *t, const struct mailcmd_rules *rules, const char *arg, size_t len,
    const char **detail, size_t *detail_len);

/*
 * The last recipient alone, as an envelope: to be asked about. Without what DSN asks for: a stage of the message chain
 * may fulfil that where the one that is asked cannot. 0, or -1 with errno ENOMEM.
 */
int mailcmd_last(const struct mailcmd *t, struct buf *out);

/* Take the last recipient back. Not twice. */
void mailcmd_drop(struct mailcmd *t);

/* The envelope as fd 3 wants it: a sealed file, the caller's. -1 with errno. */
int mailcmd_envelope(const struct mailcmd *t);

void mailcmd_reset(struct mailcmd *t);

#endif
