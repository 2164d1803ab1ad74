/* ISC licence, see LICENSE. */
#ifndef MSA_SPOOL_SPOOLREC_H
#define MSA_SPOOL_SPOOLREC_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "chain/envelope.h"
#include "chain/facts.h"
#include "smtp/reply.h"

/*
 * What is known of a message that waits in a spool, and the text that keeps it: the file "envelope" of spool(8), lines
 * ended by LF,
 *
 *	spool 1
 *	arrived 1763779420
 *	tried 2
 *	next 1763779999
 *	fact MSA_MESSAGE=...                        each fact that a later chain is to see
 *	rcpt 2 waiting untold 451 4.4.1 text        each recipient of whom there is something to say, counted from 1
 *	                                            an empty line; then the envelope of chain(7)
 *
 * In facts and replies a backslash is "\\" and a LF "\n". Zero-initialised it is empty.
 */
enum spoolrec_state {
	SPOOLREC_WAITING, /* not tried yet, or postponed */
	SPOOLREC_REACHED, /* for good */
	SPOOLREC_FAILED,  /* for good */
};

struct spoolrec_rcpt {
	enum spoolrec_state state;
	bool told; /* nobody is to be told of that any more; of one who waits: the delay was reported */
	struct reply_foreign reply; /* owned; the last one; code 0: none yet */
};

struct spoolrec {
	time_t arrival;
	time_t next; /* when it is to be tried again */
	unsigned tried;
	struct facts facts;
	struct envelope envelope; /* every line before the COPY lines is of kind ENVELOPE_RCPT */
	struct spoolrec_rcpt *rcpt; /* owned; envelope.nrcpt of them */
};

enum {
	SPOOLREC_MAX = 16777216,  /* octets of the text */
	SPOOLREC_HEAD_MAX = 128,  /* octets at its start that hold everything before the facts */
	SPOOLREC_REPLY_MAX = 900, /* octets kept of a reply: what a report shows of it */
};

/* Take over a text. 0; or -1 with errno (ENOMEM; EINVAL: it is none), s empty and *why, a constant. */
int spoolrec_parse(struct spoolrec *s, struct buf *text, const char **why);

/* next alone, from the first n octets of a text (SPOOLREC_HEAD_MAX are enough). 0, or -1: it is none. */
int spoolrec_next(const char *text, size_t n, time_t *next);

/* Append the text. 0, or -1 with errno (ENOMEM; E2BIG: more facts than a call may have, handover.h). */
int spoolrec_write(const struct spoolrec *s, struct buf *out);

void spoolrec_free(struct spoolrec *s);

#endif
