/* ISC licence, see LICENSE. */
#ifndef COMPLETE_H
#define COMPLETE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/table.h"
#include "chain/facts.h"
#include "mail/edits.h"
#include "mail/header.h"

/*
 * What a header lacks to conform to RFC 5322, found out and put right as RFC 6409 8 allows: specific problems with
 * clear solutions. Everything else stays as it is or is refused.
 */
struct rules {
	const char *domain;   /* for addresses without one, and Message-ID; NULL: none */
	bool any_local;       /* every local part is one of domain's */
	struct table *locals; /* else those that are keys here; NULL: none but postmaster */
	struct table *labels; /* single-label domains that may be completed; NULL: none */
	const char *suffix;   /* what completes them, without a leading dot */
};

struct completion {
	struct edits edits;
	uint32_t added, qualified, removed; /* sets of fields: bits of enum field_id */
	struct buf why; /* COMPLETE_REFUSED: the reply's text, of ASCII that no client chose */
};

enum complete_result {
	COMPLETE_OK,
	COMPLETE_REFUSED, /* 554 5.6.0 */
	COMPLETE_ERROR,   /* errno: ENOMEM; EPROTO: a table is damaged */
};

/*
 * Look at h, all of it. eol: the line end of what is added. SMTPAUTHUSER, MSA_MESSAGE and MSA_HOST are read of f.
 * c must be empty; completion_free whatever the result.
 */
enum complete_result complete(struct completion *c, const struct rules *rules, const struct header *h,
    const struct facts *f, const char *eol);

void completion_free(struct completion *c);

#endif
