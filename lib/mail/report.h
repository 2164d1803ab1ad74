/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_REPORT_H
#define MSA_MAIL_REPORT_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "chain/envelope.h"
#include "chain/facts.h"
#include "smtp/reply.h"

/*
 * A delivery status notification: RFC 3464 (RFC 6533 for messages with SMTPUTF8) in RFC 6522's multipart/report. It is
 * of 7 bits whatever it speaks of, with one exception: see report_make.
 */
enum report_action { REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED, REPORT_DELIVERED };

struct report_rcpt {
	const struct envelope_line *line; /* of kind ENVELOPE_RCPT */
	const struct reply_foreign *reply; /* the next hop's */
	enum report_action action;
};

struct report {
	/* The message that it is about: */
	const struct envelope *envelope; /* its sender, not the null one, gets the report */
	int message;                     /* a regular file */
	const char *id;                  /* MSA_MESSAGE */
	time_t arrival;
	/* The report: */
	const struct report_rcpt *rcpt;  /* n of them, at least one */
	size_t n;
	const char *report_id;           /* of its Message-ID */
	const char *host;                /* our name */
	const char *from;                /* who is responsible, an address; NULL: postmaster at host */
	time_t date;
	time_t until;                    /* where somebody is REPORT_DELAYED: when his failure would be reported */
	size_t quote_max;                /* octets of the message that are given back at most */
};

enum {
	REPORT_QUOTE_MAX = 65536,  /* octets, where nobody says something else */
	REPORT_REPLY_MAX = 900,    /* octets shown of a reply: a line of it fits into a message, RFC 5322 2.1.1 */
	REPORT_COLUMNS = 76,       /* RFC 2045 6.7 (5) */
};

/*
 * The report as a file, sealed, the caller's; -1 with errno. *params, a constant, is what its MAIL must have: "" or
 * parameters with a space in front. " BODY=8BITMIME" only where a whole 8-bit message goes back that itself came with
 * that parameter, so that the next hop is known to take it; " SMTPUTF8" where the sender's address needs it.
 */
int report_make(const struct report *r, const char **params);

/* Append the envelope of a report about e, with report_make's params. 0, or -1 with errno ENOMEM. */
int report_envelope(struct buf *out, const struct envelope *e, const char *params);

/*
 * Make the facts of a message those of a report about it, whose id is id: it is nobody's submission, so what is known
 * of the client is not for it. 0, or -1 with errno ENOMEM.
 */
int report_facts(struct facts *f, const char *id);

#endif
