/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_SPAWN_H
#define MSA_STAGE_SPAWN_H

#include "stage/call.h"

/*
 * Becoming a program, in the one way that chain(7) HANDOVER wants: descriptors 0, 1 and 3 in place and blocking, all
 * others closed, signals at default, the facts as the environment.
 */

/*
 * Become argv, with in, out and envelope (-1: none) as 0, 1 and 3, in whatever numbers these are now; for a message
 * from its beginning. Returns only where that failed, with errno set; the call's descriptors are 0, 1 and 3 by then,
 * where they were these.
 */
void spawn_exec(const struct call *call, char *const argv[], int in, int out, int envelope);

/*
 * Fork a child that becomes argv in a process group of its own, with those descriptors; where it cannot, it logs why
 * and its exit code is 126 or 127. Returns its pid, or -1 with errno set.
 */
pid_t spawn_child(const struct call *call, char *const argv[], int in, int out, int envelope);

/*
 * Reap the programs that gave a whole verdict and ended later. Not while a spawned child is waited for. A child in our
 * own process group is another module's (net/helper.h) and stays; so do those that the system tells of after it.
 */
void spawn_reap(void);

#endif
