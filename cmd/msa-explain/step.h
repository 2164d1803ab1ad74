/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_STEP_H
#define MSA_EXPLAIN_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"
#include "stage/call.h"

/*
 * One program of a chain, run as the chain runs it: with the message, the envelope, the facts, and a next program. The
 * next program is "call PATH", and at that path this process listens. So each message that the program hands on comes
 * here, whatever the program is written in, and the program waits for the verdict that it gets from here.
 */
struct step {
	char **argv;               /* the program's own words, with room for three more */
	size_t n;                  /* of them */
	bool last;                 /* no next program is added */
	const struct call *call;   /* what the program gets */
	size_t nrcpt;              /* of its envelope */
	int64_t deadline_ms;
	const char *directory;     /* private, for the socket */
	/*
	 * The program hands on. Fill *v, which is empty, with a reply for each of n recipients; given is freed by the caller.
	 * Returns 0, or -1 with errno set.
	 */
	int (*hand_on)(void *arg, struct call *given, size_t n, struct verdict *v);
	/* Another line of the program's log, without its end. */
	void (*line)(void *arg, const char *text);
	void *arg;
};

/*
 * Run it. *v, which is empty, gets the program's verdict, judged by the table of chain(7). Returns 0, or -1 with errno
 * set and *why, a constant text.
 */
int step_run(struct step *s, struct verdict *v, const char **why);

/* Run a program to its end with no input. Appends its standard output to out. Returns its exit code, or -1. */
int step_ask(char *const argv[], struct buf *out);

#endif
