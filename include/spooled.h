/* ISC licence, see LICENSE. */
#ifndef SPOOLED_H
#define SPOOLED_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "buf.h"
#include "envelope.h"
#include "facts.h"
#include "reply.h"

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
enum spooled_state {
	SPOOLED_WAITING, /* not tried yet, or postponed */
	SPOOLED_REACHED, /* for good */
	SPOOLED_FAILED,  /* for good */
};

struct spooled_rcpt {
	enum spooled_state state;
	bool told; /* nobody is to be told of that any more; of one who waits: the delay was reported */
	struct reply_foreign reply; /* owned; the last one; code 0: none yet */
};

struct spooled {
	time_t arrival;
	time_t next; /* when it is to be tried again */
	unsigned tried;
	struct facts facts;
	struct envelope envelope; /* every line before the COPY lines is of kind ENVELOPE_RCPT */
	struct spooled_rcpt *rcpt; /* owned; envelope.nrcpt of them */
};

enum {
	SPOOLED_MAX = 16777216,  /* octets of the text */
	SPOOLED_HEAD_MAX = 128,  /* octets at its start that hold everything before the facts */
	SPOOLED_REPLY_MAX = 900, /* octets kept of a reply: what a report shows of it */
};

/* Take over a text. 0; or -1 with errno (ENOMEM; EINVAL: it is none), s empty and *why, a constant. */
int spooled_parse(struct spooled *s, struct buf *text, const char **why);

/* next alone, from the first n octets of a text (SPOOLED_HEAD_MAX are enough). 0, or -1: it is none. */
int spooled_next(const char *text, size_t n, time_t *next);

/* Append the text. 0, or -1 with errno (ENOMEM; E2BIG: more facts than a call may have, handover.h). */
int spooled_write(const struct spooled *s, struct buf *out);

void spooled_free(struct spooled *s);

#endif
