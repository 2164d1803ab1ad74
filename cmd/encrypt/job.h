/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_JOB_H
#define MSA_ENCRYPT_JOB_H

#include <stddef.h>
#include <stdint.h>

/*
 * Work in a child process: a library that starts programs and waits for them without a deadline must not do this in our
 * process. The child has a process group of its own, which is ended with all its programs when the work is done, when
 * the time is over and, where the system can tell a child so (os_end_with_parent), when this process ends.
 */
enum { JOB_WHY_MAX = 300 };

struct job {
	int64_t deadline_ms;       /* clock_ms */
	char why[JOB_WHY_MAX + 1]; /* the end of what the child and its programs wrote to fd 2 */
};

/* Takes what the child writes. Returns 0, or -1 with errno set: then the child is ended. */
typedef int job_take(void *to, const char *p, size_t n);

/*
 * Run work, which writes to out and returns 0 for success, in a child, and give take what it writes. Of the descriptors
 * work has out, fd 2 and keep (-1: none) alone: the others would keep a pipe open that somebody reads to its end.
 * Returns 0, or -1 with errno set (EPROTO: the child failed, see why; ETIMEDOUT; as take; as fork).
 */
int job_run(struct job *j, int (*work)(const void *arg, int out), const void *arg, int keep, job_take *take,
    void *to);

#endif
