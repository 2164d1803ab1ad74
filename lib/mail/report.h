/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_REPORT_H
#define MSA_MAIL_REPORT_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "chain/envelope.h"
#include "chain/facts.h"
#include "msa/buf.h"
#include "smtp/reply.h"

/*
 * A delivery status notification: RFC 3464 (RFC 6533 for messages with SMTPUTF8) in RFC 6522's multipart/report. It has
 * 7-bit text whatever it quotes, with one exception: see report_make.
 */
enum report_action { REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED, REPORT_DELIVERED };

struct report_rcpt {
	const struct envelope_line *line; /* of kind ENVELOPE_RCPT */
	const struct reply_foreign *reply; /* of the next hop */
	enum report_action action;
};

struct report {
	/* The message to report on: */
	const struct envelope *envelope; /* its sender, who gets the report; not the null sender */
	int message;                     /* a regular file */
	const char *id;                  /* MSA_MESSAGE */
	time_t arrival;
	/* The report: */
	const struct report_rcpt *rcpt;  /* n of them, at least one */
	size_t n;
	const char *report_id;           /* for its Message-ID */
	const char *host;                /* our name */
	const char *from;                /* the responsible address; NULL: postmaster at host */
	time_t date;
	time_t until;                    /* for REPORT_DELAYED: when the failure would be reported */
	size_t quote_max;                /* octets of the message to return at most */
};

enum {
	REPORT_QUOTE_MAX = 65536,  /* octets; the default of quote_max */
	REPORT_REPLY_MAX = 900,    /* octets shown of a reply, so that each line fits RFC 5322 2.1.1 */
	REPORT_COLUMNS = 76,       /* RFC 2045 6.7 (5) */
};

/*
 * Make the report. Returns a descriptor of an immutable file, which the caller owns, or -1 with errno set. *params, a
 * constant, is the parameters that its MAIL command needs, "" or with a space in front: " BODY=8BITMIME" if the report
 * returns a whole 8-bit message that came with that parameter itself, so the next hop is known to accept it;
 * " SMTPUTF8" if the sender's address needs it.
 */
int report_make(const struct report *r, const char **params);

/* Append the envelope of a report about e, with the params of report_make. Returns 0, or -1 with errno set (ENOMEM). */
int report_envelope(struct buf *out, const struct envelope *e, const char *params);

/*
 * Turn the facts of a message into those of a report about it with this id. No client submitted the report, so the
 * facts about the client are removed.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int report_facts(struct facts *f, const char *id);

#endif
