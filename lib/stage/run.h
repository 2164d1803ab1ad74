/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_RUN_H
#define MSA_STAGE_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "stage/call.h"
#include "stage/next.h"

/* Running the next program of a call, however it is reached (struct next). */

/* Hand the call on to next, as call_next does to call->next. Returns the exit code. */
int call_next_to(struct call *call, const struct next *next);

/*
 * Run next for one message as a message chain of its own: message is its fd 0, envelope is its fd 3, and its output is
 * the verdict for n recipients. Set the facts before; the descriptors stay the caller's. A program gets a process group
 * of its own, which is ended at deadline_ms (clock_ms), and no program is started after that. A stage in this process
 * keeps the deadline itself.
 * Returns 0 with a verdict in *v, even if next failed, or -1 with errno set (ENOMEM).
 */
int call_deliver(const struct call *call, const struct next *next, int message, int envelope, size_t n,
    int64_t deadline_ms, struct verdict *v);

/*
 * The same in two steps, so that several chains can run side by side: start them one after another, then finish them in
 * any order. Each of them needs a file description of its own for the message (os_reopen), because they would share its
 * offset. After run_start the caller may close message and envelope, but next must stay valid. If run_start fails,
 * run_finish gives the verdict for that.
 */
struct run {
	const struct next *next;
	pid_t pid; /* 0: a resident has the message; -1: nothing was started, see why */
	int fd;    /* the verdict is read here; -1: none will come */
	int64_t deadline_ms;
	const char *why; /* why nothing was started; a constant */
	bool is_late;    /* because deadline_ms had passed */
	struct verdict verdict; /* room for it, made before the start; empty: there was no memory */
	struct buf text;        /* room for what is read */
};

void run_start(struct run *r, const struct call *call, const struct next *next, int message, int envelope,
    size_t n, int64_t deadline_ms);
int run_finish(struct run *r, const struct call *call, struct verdict *v);

/*
 * Have every stage of this process that next leads to let go of what it kept for the next call (a connection). For a
 * process to which no call has come for a while.
 */
void run_idle(const struct next *next);

/* Returns after how many seconds without a call to call run_idle: the least that these stages ask for; 0: none asks. */
int run_idle_s(const struct next *next);

#endif
