/* ISC licence, see LICENSE. */
#ifndef REFUSALS_H
#define REFUSALS_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/recipients.h"
#include "chain/envelope.h"
#include "chain/verdict.h"
#include "smtp/postmaster.h"

/* The recipients of a message whom its user may not write to. */
struct refusals {
	bool *is; /* owned; for each RCPT line of the envelope */
	size_t n;
	size_t first; /* the first of them, if n > 0 */
};

/*
 * Find them. Whom an earlier stage has refused is not looked at, nor the postmaster, nor a copy. Returns 0, or -1 with
 * errno set as recipients_judge.
 */
int refusals_find(struct refusals *f, const struct envelope *e, const struct recipients *r, const struct postmaster *p);

/* Make the envelope with a reply in the place of each of them. Returns a descriptor, or -1 with errno set. */
int refusals_envelope(const struct refusals *f, const struct envelope *e);

/* Make the verdict of a check: a reply for each RCPT line. v must be empty. Returns 0, or -1 with errno set. */
int refusals_verdict(const struct refusals *f, const struct envelope *e, struct verdict *v);

void refusals_free(struct refusals *f);

#endif
