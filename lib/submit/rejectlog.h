/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_REJECTLOG_H
#define MSA_SUBMIT_REJECTLOG_H

#include "smtp/reply.h"
#include "smtp/verb.h"
#include "stage/call.h"

/*
 * The commands that a session's dialogue has refused, for the log (RFC 6409 5.2, 9): a line for the first of each
 * class, which is a verb and a reply, up to REJECTLOG_LOGGED of them, as far as the whole service may write any
 * (log_permit); and one line at the end that counts the others. Never a word of what the client wrote: it may be a
 * credential that came in the wrong place. Zero-initialised there is none.
 */
enum { REJECTLOG_LOGGED = 10 };

struct rejectlog {
	struct { unsigned char verb, reply; } seen[REJECTLOG_LOGGED];
	unsigned n;          /* of seen */
	unsigned suppressed;
};

void rejectlog_add(struct rejectlog *r, const struct call *call, enum verb v, enum reply reply);

/* The same of a reply that is a next hop's: all of them are one class. */
void rejectlog_add_foreign(struct rejectlog *r, const struct call *call, enum verb v, const struct reply_foreign *reply);

/* The session is over. */
void rejectlog_end(struct rejectlog *r, const struct call *call);

#endif
