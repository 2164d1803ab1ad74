/* ISC licence, see LICENSE. */
#ifndef COMPLETE_H
#define COMPLETE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "chain/facts.h"
#include "mail/edits.h"
#include "mail/header.h"
#include "msa/buf.h"

/*
 * Complete a header so that it conforms to RFC 5322, as RFC 6409 8 allows: only specific problems with a clear solution
 * are corrected. Everything else stays unchanged or is refused.
 */
struct rules {
	const char *domain;   /* for addresses without a domain, and for Message-ID; NULL: none */
	bool any_local;       /* every local part exists in domain */
	struct table *locals; /* otherwise: the local parts that exist are keys here; NULL: only postmaster exists */
	struct table *labels; /* single-label domains that may be completed; NULL: none */
	const char *suffix;   /* completes them, without a leading dot */
	enum {
		SENDER_NEEDED,  /* add Sender where several authors need it (RFC 5322 3.6.2) */
		SENDER_ADD,     /* add Sender where the user is no author */
		SENDER_REPLACE, /* also replace a Sender who is not the user */
	} sender;
};

enum { COMPLETE_MSGID_MAX = 255 }; /* octets kept of a Message-ID */

struct completion {
	bool is_ascii; /* set before: the message has no SMTPUTF8, and mail/downgrade.h has made its header ASCII */
	struct edits edits;
	uint32_t added, qualified, removed; /* sets of fields, as bits of enum field_id */
	char msgid[COMPLETE_MSGID_MAX + 1]; /* the Message-ID, without folding, for the log; "": none so far */
	bool mbox_line; /* the line that begins a message in an mbox file stood on top, and was removed */
	struct buf why; /* for COMPLETE_REFUSED: the text of the reply, ASCII, without a word of the client */
};

enum complete_result {
	COMPLETE_OK,
	COMPLETE_REFUSED, /* 554 5.6.0 */
	COMPLETE_ERROR,   /* errno is set: ENOMEM; EPROTO: a table is damaged */
};

/*
 * Examine the whole header h and collect the edits that complete it. eol ends each added line. Of f, SMTPAUTHUSER,
 * MSA_MESSAGE and MSA_HOST are used. c must be empty but for is_ascii; call completion_free whatever the result.
 */
enum complete_result complete(struct completion *c, const struct rules *rules, const struct header *h,
    const struct facts *f, const char *eol);

void completion_free(struct completion *c);

/* Returns true if no look-up finds key[0..n) of the locals: it is no local part in the form of addr_mailbox. */
bool complete_is_bad_local(const char *key, size_t n);

#endif
