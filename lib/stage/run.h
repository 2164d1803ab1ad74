/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_RUN_H
#define MSA_STAGE_RUN_H

#include <sys/types.h>

#include "stage/call.h"
#include "stage/next.h"

/* Running the next program of a call, whatever way leads to it. */

/*
 * Hand the call on to call->next, as the last thing that the stage does with it: become the program, give the call to the
 * resident, or call the stage in this process. A stage that may not become another program runs it and gives its verdict
 * on. Returns the exit code; returns at all only where the process stays, or the next program could not be started, which
 * has then been logged and answered.
 */
int call_next(struct call *call);

/*
 * The same with another message and another envelope (-1: as they are), both regular files, which stay the caller's.
 */
int call_next_with(struct call *call, int message, int envelope);

/* The same to another program than call->next. */
int call_next_to(struct call *call, const struct next *next);

/*
 * Run next for one message as a message chain of its own: message is its fd 0, envelope its fd 3, its output the verdict
 * for n recipients. A program gets a process group of its own, which is ended at deadline_ms (clock_ms); a stage in this
 * process keeps to the deadline itself. The caller keeps its descriptors, and has set the facts.
 * Returns 0 with a verdict in *v, whatever happened, or -1 with errno ENOMEM.
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
};

void run_start(struct run *r, const struct call *call, const struct next *next, int message, int envelope,
    int64_t deadline_ms);
int run_finish(struct run *r, const struct call *call, size_t n, struct verdict *v);

#endif
