/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_SPAWN_H
#define MSA_STAGE_SPAWN_H

#include "stage/call.h"

/*
 * Becoming a program as chain(7) HANDOVER requires: descriptors 0, 1 and 3 in place and blocking, all others closed,
 * signals at default, the facts as the environment.
 */

/*
 * Become argv. The descriptors in, out and envelope (-1: none), whatever their numbers, become 0, 1 and 3. A message is
 * opened again: read-only, at its beginning, and with an offset that no other program's reading moves. Where the system
 * or the file's mode does not allow that, the message is rewound.
 * Returns only if this failed, with errno set. The caller then uses 0, 1 and 3, since the numbers before may have been
 * closed.
 */
void spawn_exec(const struct call *call, char *const argv[], int in, int out, int envelope);

/*
 * Fork a child that becomes argv in a process group of its own, with those descriptors. If it cannot, the child logs
 * the reason and exits with 127 (ENOENT) or 126. Returns the child's pid, or -1 with errno set.
 */
pid_t spawn_child(const struct call *call, char *const argv[], int in, int out, int envelope);

/*
 * Reap the programs that gave a whole verdict and ended later. Do not call this while waiting for a spawned child. A
 * child in our own process group belongs to another module (net/helper.h) and is left alone. So are the children that
 * the system reports after it. Returns true if a child is left.
 */
bool spawn_reap(void);

#endif
