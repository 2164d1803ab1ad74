/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_INPROC_H
#define MSA_STAGE_INPROC_H

#include <stddef.h>

#include "stage/ready.h"

/*
 * Stages that share a process: where one of them runs the next, a function is called and nothing is started. To each
 * of them it looks like the chain of chain(7): a call of its own, the message and envelope as files, facts that it can
 * change, its verdict judged by the same table. Only the verdict has no descriptor (call.verdict).
 */
enum { INPROC_MAX = 16 };

struct inproc {
	struct ready stage[INPROC_MAX];
	char *const *words[INPROC_MAX]; /* of each: by these the stage in front of it finds it */
	size_t n;
};

/* The stage whose words argv is, the very pointer; NULL: none of j, or j is NULL. */
const struct ready *inproc_find(const struct inproc *j, char *const argv[]);

/* Serve call with the stage, as the last thing that the stage in front of it does with it. The exit code. */
int inproc_next(struct call *call, const struct ready *stage);

/* As stage_deliver, which comes here. */
int inproc_deliver(const struct call *call, const struct ready *stage, int msg, int envelope, size_t n,
    struct verdict *v);

/* Be the first stage, with the others behind it. The exit code. */
int inproc_run(struct inproc *j);

/* Nothing was to be done for a while: let all stages let go of what they kept (a connection). */
void inproc_idle(void *joined);
int inproc_idle_s(const struct inproc *j); /* how long a while; 0: none keeps anything */

void inproc_release(struct inproc *j);

#endif
