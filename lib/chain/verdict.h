/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_VERDICT_H
#define MSA_CHAIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "smtp/reply.h"

/* The answer of a message chain, chain(7) VERDICT. */
struct verdict {
	struct reply_foreign *reply; /* owned, n of them: one for each recipient */
	size_t n;
	const char *why; /* constant: why it was not taken as it stood; NULL where it was */
};

/* How the program that was started came to its end. */
enum verdict_end {
	VERDICT_DOT,     /* the line "." closed the verdict; nothing else counts */
	VERDICT_EXIT,    /* it ended, status is its exit code, and its output is at an end */
	VERDICT_SIGNAL,  /* a signal ended it */
	VERDICT_CUT,     /* the output ended without "." and there is no exit status */
	VERDICT_LATE,    /* the deadline passed */
};

/*
 * Judge text (without the closing "."), for n recipients, by the table of chain(7). Always gives n replies, each one
 * translated (reply_translate). 0, or -1 with errno ENOMEM.
 */
int verdict_judge(struct verdict *v, const char *text, size_t len, enum verdict_end end, int status, size_t n);

/*
 * The same for a verdict that came as it is, not as text: given is what a stage in this process has answered, empty if it
 * gave none and only its exit code, status, counts. Takes over what given holds. As verdict_judge.
 */
int verdict_take(struct verdict *v, struct verdict *given, int status, size_t n);

/* The one reply that an SMTP client hears: all 2yz: NULL (accepted); else the reply, borrowed. *mixed: some 2yz. */
const struct reply_foreign *verdict_reduce(const struct verdict *v, bool *mixed);

void verdict_free(struct verdict *v);

/*
 * Write all replies of v to fd, a pipe or socket, and the closing ".". More of them than a verdict may hold are shortened,
 * in v too. Returns 0, or -1 with errno set.
 */
int verdict_write(int fd, struct verdict *v);

/*
 * All n replies as text, which starts empty. More of them than a verdict may hold would be no verdict, and a message
 * that was delivered would be sent again and again: then each of them (v's own too) is shortened. 0, or -1: ENOMEM.
 */
int verdict_text(struct buf *text, const struct verdict *v);

#endif
