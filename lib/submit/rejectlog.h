/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_REJECTLOG_H
#define MSA_SUBMIT_REJECTLOG_H

#include "smtp/reply.h"
#include "smtp/verb.h"
#include "stage/call.h"

/*
 * The log of the commands that a session refused (RFC 6409 5.2, 9). A class is a verb and a reply. The first refusal of
 * each class gets a line, for at most REJECTLOG_LOGGED classes and as far as log_permit allows; one line at the end
 * counts the others. No line has a word of the client's: it may be a credential in the wrong place. Zero-initialised:
 * none.
 */
enum { REJECTLOG_LOGGED = 10 };

struct rejectlog {
	struct { unsigned char verb, reply; } seen[REJECTLOG_LOGGED];
	unsigned n;          /* entries in seen */
	unsigned suppressed; /* refusals without a line */
};

/* Log or count a refusal. */
void rejectlog_add(struct rejectlog *r, const struct call *call, enum verb v, enum reply reply);

/* The same for a reply of a next hop. All of these are one class. */
void rejectlog_add_foreign(struct rejectlog *r, const struct call *call, enum verb v, const struct reply_foreign *no);

/* Write the line that counts the others, at the session's end. */
void rejectlog_end(struct rejectlog *r, const struct call *call);

#endif
