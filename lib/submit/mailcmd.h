/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_MAILCMD_H
#define MSA_SUBMIT_MAILCMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"
#include "smtp/addr.h"
#include "smtp/ehlo.h"
#include "smtp/fqdn.h"
#include "smtp/reply.h"

/*
 * The commands MAIL and RCPT of a mail transaction (RFC 5321 3.3): they are checked, and collected as an envelope in
 * the canonical form of chain(7).
 */
enum mailcmd_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* Zero-initialised: no transaction. */
struct mailcmd {
	bool open;         /* MAIL was accepted */
	struct addr from;
	enum mailcmd_body body;
	bool smtputf8;
	bool prdr;         /* the client wants a reply for each recipient after the data: draft-hall-prdr */
	struct buf envelope; /* the MAIL line and the recipient lines so far, each with LF */
	size_t last;         /* offset in envelope of the last recipient's line */
	bool again;          /* the last RCPT named a recipient whom the envelope has, and added no line */
	size_t nrcpt;
};

/* The rules for MAIL and RCPT. */
struct mailcmd_rules {
	struct ehlo offered;  /* what EHLO listed; no caps after HELO, which allows no parameter */
	struct fqdn *domains; /* borrowed */
	bool each;            /* LMTP: each RCPT has a reply of its own after the data, so each has its line */
};

/*
 * Take the argument of MAIL or RCPT ("FROM:<...> KEY=value"). Returns the reply: REPLY_SENDER_OK or REPLY_RCPT_OK, or a
 * refusal, REPLY_NO_MEMORY among them. The caller resets t before each MAIL, for a refused one may have left something.
 * A recipient who is named again, with the same parameters, gets no second copy: the envelope stays. *detail is NULL,
 * or points to the keyword in arg that the reply is about, of *detail_len octets.
 */
enum reply mailcmd_mail(struct mailcmd *t, const struct mailcmd_rules *rules, const char *arg, size_t len,
    const char **detail, size_t *detail_len);
enum reply mailcmd_rcpt(struct mailcmd *t, const struct mailcmd_rules *rules, const char *arg, size_t len,
    const char **detail, size_t *detail_len);

/*
 * Append an envelope with the last recipient only, for the check at RCPT. It has no DSN parameters: if the check's next
 * hop does not know them, a stage of the message chain may still do what they ask. Returns 0, or -1 with errno ENOMEM.
 */
int mailcmd_last(const struct mailcmd *t, struct buf *out);

/* Remove the last recipient, if the last RCPT added one. Only once after each RCPT. */
void mailcmd_drop(struct mailcmd *t);

/*
 * Make the envelope a sealed file, for fd 3 of the chain. Returns its descriptor, which the caller closes, or -1 with
 * errno.
 */
int mailcmd_envelope(const struct mailcmd *t);

/* End the transaction and free what it owns. */
void mailcmd_reset(struct mailcmd *t);

#endif
