/* ISC licence, see LICENSE. */
#ifndef MSA_SPOOL_SPOOLREC_H
#define MSA_SPOOL_SPOOLREC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "chain/envelope.h"
#include "chain/facts.h"
#include "msa/buf.h"
#include "smtp/reply.h"

/*
 * The record of a message that waits in a spool, and its text: the file "envelope" of spool(8). Lines end with LF:
 *
 *	spool 1
 *	arrived 1763779420
 *	tried 2
 *	next 1763779999                             or "next never"
 *	report                                      only if the message is a report that the runner has made
 *	fact MSA_MESSAGE=...                        a line for each fact that the next attempts get
 *	rcpt 2 waiting untold 451 4.4.1 text        a line for each recipient (counted from 1) whose state is not the first
 *	                                            an empty line; then the envelope of chain(7)
 *
 * In facts and replies a backslash is written as "\\" and an LF as "\n". Zero-initialised: empty.
 */
enum spoolrec_state {
	SPOOLREC_WAITING, /* not tried yet, or refused temporarily */
	SPOOLREC_REACHED, /* final: the next hop accepted the message */
	SPOOLREC_FAILED,  /* final: refused, or given up */
};

struct spoolrec_rcpt {
	enum spoolrec_state state;
	bool told; /* the sender need not be told of the state (any more); while waiting: the delay was reported */
	struct reply_foreign reply; /* owned; the last reply; code 0: none yet */
};

struct spoolrec {
	time_t arrival;
	time_t next;    /* of the next attempt, or SPOOLREC_NEVER */
	unsigned tried; /* attempts so far */
	bool is_report; /* the runner has made it: it goes to somebody who has to know of a failure */
	struct facts facts;
	struct envelope envelope; /* without ENVELOPE_REPLY lines */
	struct spoolrec_rcpt *rcpt; /* owned; one for each of envelope.nrcpt */
};

/* As the time of the next attempt: only an administrator causes another one. The latest time_t that there is. */
#define SPOOLREC_NEVER ((time_t)((UINTMAX_C(1) << (sizeof(time_t) * CHAR_BIT - 1)) - 1))

enum {
	SPOOLREC_MAX = 16777216,  /* octets of the text */
	SPOOLREC_HEAD_MAX = 128,  /* octets at the start of the text that hold all lines before the facts */
	SPOOLREC_REPLY_MAX = 900, /* octets kept of a reply, for reports */
};

/*
 * Parse a text, which is taken over, into s, which must be empty.
 * Returns 0, or -1 with errno set (ENOMEM; EINVAL: not a record): then s is empty, and *why, a constant, says what is
 * wrong.
 */
int spoolrec_parse(struct spoolrec *s, struct buf *text, const char **why);

/* Parse only next, from the first n octets of a text; SPOOLREC_HEAD_MAX are enough. Returns 0, or -1: not a record. */
int spoolrec_next(const char *text, size_t n, time_t *next);

/*
 * Append the text to out.
 * Returns 0, or -1 with errno set (ENOMEM; E2BIG: more facts than a call may have, handover.h).
 */
int spoolrec_write(const struct spoolrec *s, struct buf *out);

void spoolrec_free(struct spoolrec *s);

#endif
