/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_STANDBY_H
#define MSA_STAGE_STANDBY_H

#include <sys/types.h>

#include "chain/facts.h"
#include "stage/call.h"
#include "stage/next.h"

/*
 * A child that waits to become the next stage. It is forked before the parent reads a key, drops privileges or talks to
 * the network, so it has the privileges that the next stage needs and none of the parent's secrets. It accepts only the
 * facts that tlsd may set (FACTS_TLSD), so a parent that was taken over from the network cannot forge the others.
 */
struct standby {
	pid_t pid; /* 0: no child */
	int fd;    /* our end of the stream socket that is the child's fds 0 and 1; -1: none */
};

/*
 * Fork a child that will hand the call on to next, with call's facts. The child closes call->in and call->out. Returns
 * 0, or -1 with errno set and *s empty. It fails too if next is a program that is not an executable file in the facts'
 * PATH.
 */
int standby_fork(struct standby *s, const struct call *call, const struct next *next);

/*
 * Let the child become the next stage, with the facts f in addition to its own. Returns s->fd, which the caller then
 * owns, or -1 with errno set (E2BIG: more than 4,096 octets of facts).
 */
int standby_go(struct standby *s, const struct facts *f);

/* End a child that still waits. Wait for the end of the child, or of the stage that it became. Then s is empty. */
void standby_wait(struct standby *s);

#endif
