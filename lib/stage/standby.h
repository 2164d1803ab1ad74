/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_STANDBY_H
#define MSA_STAGE_STANDBY_H

#include <sys/types.h>

#include "chain/facts.h"
#include "stage/call.h"

/*
 * A child that waits to become the next stage. It is forked before its parent reads a key, drops privileges or talks to
 * the network, so it has all that the next stage should have and nothing that it should not. It learns only what
 * tlsd may set (FACTS_TLSD): a parent that the network has taken over cannot give it another environment.
 */
struct standby {
	pid_t pid; /* 0: there is none */
	int fd;    /* our end of the stream socket that the next stage gets as 0 and 1; -1: none */
};

/*
 * Fork it, for call's facts and argv. The child keeps nothing of call->in and call->out. 0, or -1 with errno and *s
 * empty; also where argv[0] is no program that can be started (looked up in the facts' PATH).
 */
int standby_fork(struct standby *s, const struct call *call, char *const argv[]);

/* It becomes the next stage, with f besides its facts. s->fd is the caller's from now on; -1 with errno. */
int standby_go(struct standby *s, const struct facts *f);

/* End it where it has not gone, and wait for its end or the next stage's. s is empty afterwards. */
void standby_wait(struct standby *s);

#endif
