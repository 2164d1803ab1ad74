/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_CHILD_H
#define MSA_STAGE_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chain/verdict.h"

struct call;

/*
 * Run argv for one message as the message chain does: msg is fd 0, envelope fd 3, its output the verdict for n
 * recipients, until deadline_ms. A process group of its own, that is killed at the deadline. The caller keeps its
 * descriptors. Always gives a verdict. 0, or -1 with errno ENOMEM. A stage that shares our process (joined.h) is called
 * and not run, and keeps to the deadline itself.
 */
int stage_deliver(const struct call *call, char *const argv[], int msg, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v);

/*
 * The same in two steps, so that several can run side by side: started one after another, finished in any order. The
 * descriptors may be closed between the two; argv must stay. Whatever fails at the start is the verdict of the finish.
 * Side by side each needs a file description of its own for the message (os_reopen).
 */
struct stage_child {
	char *const *argv;
	pid_t pid; /* 0: a resident has it; -1: it was not started, and why says why not */
	int fd;    /* its verdict is read here */
	int64_t deadline_ms;
	const char *why;
};
void stage_start(struct stage_child *c, const struct call *call, char *const argv[], int msg, int envelope,
    int64_t deadline_ms);
int stage_finish(struct stage_child *c, const struct call *call, size_t n, struct verdict *v);

/*
 * Judge what came, verdict_judge, and log where it could not be taken as it stood (program NULL: do not), with the
 * beginning of text, which may be cut off there. 0, or -1 with errno ENOMEM.
 */
int stage_judge(const struct call *call, const char *program, struct buf *text, enum verdict_end end, int status,
    size_t n, struct verdict *v);

/* Reap who closed its verdict with a dot and ended later. Not between stage_start and stage_finish. */
void stage_reap(void);

#endif
