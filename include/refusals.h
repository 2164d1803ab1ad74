/* ISC licence, see LICENSE. */
#ifndef REFUSALS_H
#define REFUSALS_H

#include "reply.h"
#include "stage.h"
#include "verb.h"

/*
 * The commands that a session's dialogue has refused, for the log (RFC 6409 5.2, 9): a line for the first of each
 * class, which is a verb and a reply, up to REFUSALS_LOGGED of them, as far as the whole service may write any
 * (log_permit); and one line at the end that counts the others. Never a word of what the client wrote: it may be a
 * credential that came in the wrong place. Zero-initialised there is none.
 */
enum { REFUSALS_LOGGED = 10 };

struct refusals {
	struct { unsigned char verb, reply; } seen[REFUSALS_LOGGED];
	unsigned n;          /* of seen */
	unsigned suppressed;
};

void refusals_add(struct refusals *r, const struct call *call, enum verb v, enum reply reply);

/* The same of a reply that is a next hop's: all of them are one class. */
void refusals_add_foreign(struct refusals *r, const struct call *call, enum verb v, const struct reply_foreign *reply);

/* The session is over. */
void refusals_end(struct refusals *r, const struct call *call);

#endif
