/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_POOL_H
#define MSA_STAGE_POOL_H

#include <stdbool.h>

#include "base/user.h"
#include "stage/handover.h"
#include "stage/instance.h"

/*
 * A resident stage: a parent that listens, and workers. A worker serves one call in plain blocking code, then takes the
 * next one. The parent keeps at least min workers idle while there are fewer than max workers, and replaces a worker
 * that died. Idle workers beyond min end after POOL_IDLE_S. If all max workers are busy, message calls wait in the
 * socket's queue, and session calls get 421 4.3.2.
 *
 * SIGTERM: take no new calls. Messages are finished; sessions end with 421 4.3.2 at their next command (call.stop).
 * SIGHUP: instance_reload. The workers with the old files end after their call.
 * The parent's death has the same effect on the workers as SIGTERM.
 */
struct pool_conf {
	const char *path;  /* of the socket to make; NULL: the listening socket is fd */
	int fd;
	int min, max;      /* the fewest idle workers, and the most workers in all */
	int calls;         /* after which a worker is replaced */
	const struct user *user; /* the workers take its uid, and the parent keeps its own for reload; NULL: none */
	struct handover_allow allow; /* the users and groups who may call, besides root and our own user */
	bool doubt;        /* what these users' calls say is not believed where facts_disown unsets it */
	int notify_fd;     /* a newline is written there once calls are taken (s6); -1: none */
};

enum {
	POOL_IDLE_S = 30,  /* without a call, after which a worker beyond min ends */
	POOL_STOP_S = 120, /* after SIGTERM: longer than CHAIN_ANSWER_S, so that a message in hand can be finished */
};

/* Serve until SIGTERM. Returns a chain_exit code. */
int pool_run(const struct instance *instance, const struct pool_conf *pool);

#endif
