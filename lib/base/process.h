/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_PROCESS_H
#define MSA_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A child process. Each child has a process group of its own, named by its pid: the whole group can be ended.
 */

/*
 * Wait until the child pid has ended, but not beyond deadline_ms (clock_ms). The child stays a zombie, so its pid,
 * which is also the name of its group, cannot be given to another process before process_end_group and process_reap.
 * Returns true if the child has ended, or is no child of ours.
 */
bool process_has_ended(pid_t pid, int64_t deadline_ms);

/*
 * Wait for the child and return its status, as waitpid(2) gives it. If something else in this process has reaped the
 * child, its status is unknown: return that of exit code 127, so that nothing is accepted.
 */
int process_reap(pid_t pid);

/*
 * Set name to the name of the program that the child is or, before process_reap, was; "" where the system does not
 * tell.
 * A stage becomes the next program, so this may be another than the one that was started.
 */
enum { PROCESS_NAME = 16 }; /* Linux cuts longer names off */
void process_name(pid_t pid, char name[PROCESS_NAME]);

/*
 * Send the group SIGTERM, wait for the child until deadline_ms at most, and send SIGKILL to what is left of the group.
 */
void process_end_group(pid_t pid, int64_t deadline_ms);

#endif
