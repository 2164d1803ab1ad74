/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_POOL_H
#define MSA_STAGE_POOL_H

#include "stage/handover.h"
#include "stage/instance.h"

/*
 * A resident stage: a parent that listens, and workers that serve one call at a time in plain blocking code, then
 * take the next. The parent keeps min workers idle while there are fewer than max, and replaces one that dies; idle
 * ones beyond min go after a while. Where all are busy, message calls wait in the socket's queue and session calls
 * get 421 4.3.2.
 *
 * SIGTERM: no new calls; messages are finished, sessions end with 421 4.3.2 at the next command boundary (call.stop).
 * SIGHUP: instance_reload, and workers with what was loaded before end after their call. The parent's death is SIGTERM.
 */
struct pool_conf {
	const char *path;  /* of the socket to make; NULL: the listening socket is fd */
	int fd;
	int min, max;      /* workers: idle at least, all at most */
	int calls;         /* after which a worker is replaced */
	const char *user;  /* NULL, or whose uid the workers take; the parent keeps its own for reload */
	struct handover_allow allow; /* who may call, besides root and ourselves */
	int notify_fd;     /* -1, or: a newline is written there once calls are taken (s6) */
};

enum {
	POOL_IDLE_S = 30,  /* without a call, after which a worker beyond min goes */
	POOL_STOP_S = 120, /* after SIGTERM: longer than CHAIN_ANSWER_S, so that a message in hand can be finished */
};

/* Serve until SIGTERM. The result is a chain_exit code. */
int pool_run(const struct instance *instance, const struct pool_conf *pool);

#endif
