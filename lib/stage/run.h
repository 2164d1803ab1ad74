/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_RUN_H
#define MSA_STAGE_RUN_H

#include <sys/types.h>

#include "stage/call.h"
#include "stage/next.h"

/* Running the next program of a call, whatever way leads to it. */

/* Hand the call on to next, as call_next does to call->next. Returns the exit code. */
int call_next_to(struct call *call, const struct next *next);

/*
 * Run next for one message as a message chain of its own: message is its fd 0, envelope its fd 3, its output the
 * verdict for n recipients. A program gets a process group of its own, which is ended at deadline_ms (clock_ms); a
 * stage in this process keeps to the deadline itself. The caller keeps its descriptors, and has set the facts. Returns
 * 0 with a verdict in *v, whatever happened, or -1 with errno ENOMEM.
 */
int call_deliver(const struct call *call, const struct next *next, int message, int envelope, size_t n,
    int64_t deadline_ms, struct verdict *v);

/*
 * The same in two steps, so that several can run side by side: started one after another, finished in any order. The
 * descriptors may be closed between the two; next must stay. A failure to start becomes the verdict of run_finish.
 * Side by side each needs a file description of its own for the message (os_reopen).
 */
struct run {
	const struct next *next;
	pid_t pid; /* 0: a resident has the message; -1: it was not started, for why */
	int fd;    /* the verdict is read here; -1: none will come */
	int64_t deadline_ms;
	const char *why; /* constant */
	struct verdict verdict; /* room for it, made before the start; empty: there was no memory */
	struct buf text;        /* room for what is read */
};

void run_start(struct run *r, const struct call *call, const struct next *next, int message, int envelope,
    size_t n, int64_t deadline_ms);
int run_finish(struct run *r, const struct call *call, struct verdict *v);

/*
 * No call came for a while: have every stage in this process that next leads to let go of what it kept for the next
 * call (a connection).
 */
void run_idle(const struct next *next);

/* After how many seconds without a call run_idle is due: the least of those stages; 0: none of them keeps anything. */
int run_idle_s(const struct next *next);

#endif
