/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_VERDICT_H
#define MSA_CHAIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"
#include "smtp/reply.h"

/* The verdict of a message chain, chain(7) Verdict. */
struct verdict {
	struct reply_foreign *reply; /* owned; n replies, one for each recipient */
	size_t n;
	const char *why;             /* a constant: why the text was not taken unchanged; NULL if it was */
};

/* How the program ended that gave the verdict. */
enum verdict_end {
	VERDICT_DOT,    /* the line "." closed the verdict; the exit code does not count */
	VERDICT_EXIT,   /* the output ended and status is the exit code */
	VERDICT_SIGNAL, /* a signal ended the program */
	VERDICT_CUT,    /* the output ended without ".", and the exit code is unknown */
	VERDICT_LATE,   /* the deadline passed */
};

/*
 * Make room for the replies of n recipients. Call this before the chain is started, so that no verdict is lost because
 * memory is short. Returns 0, or -1 with errno set (ENOMEM).
 */
int verdict_open(struct verdict *v, size_t n);

/*
 * Judge text (without the closing ".") by the table of chain(7). v, which verdict_open has made, gets a reply for each
 * recipient, translated by reply_translate. Out of memory, replies lack their text.
 */
void verdict_judge(struct verdict *v, const char *text, size_t len, enum verdict_end end, int status);

/*
 * The same for a verdict that is not text: given is what a stage in this process has answered; empty if the stage gave
 * no verdict, so that only its exit code, status, counts. Takes over what given holds.
 */
void verdict_take(struct verdict *v, struct verdict *given, int status);

/*
 * Reduce the verdict to the single reply of SMTP. Returns NULL if every reply is 2yz (accepted); otherwise the reply to
 * give, borrowed. *mixed is set if some replies are 2yz and others are not.
 */
const struct reply_foreign *verdict_reduce(const struct verdict *v, bool *mixed);

void verdict_free(struct verdict *v);

/*
 * Write all replies of v and the closing "." to fd, a pipe or socket. If they exceed CHAIN_VERDICT_MAX, each reply is
 * shortened, in v too. Returns 0, or -1 with errno set.
 */
int verdict_write(int fd, struct verdict *v);

/*
 * Write all n replies to text, which must be empty. If they exceed CHAIN_VERDICT_MAX, each reply is shortened, in v
 * too: a verdict over the limit would be invalid, and the client would send a message again that was delivered.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int verdict_text(struct buf *text, const struct verdict *v);

#endif
