/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_STATE_H
#define MSA_LOG_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "counters.h"

enum {
	STATE_LOGS = 256,          /* logs with a position */
	STATE_MAX = 16 * 1048576,  /* octets of the file */
	STATE_HEAD = 256,          /* octets of a log's beginning by which it is known again */
};

/* How far a log was read. The beginning tells it from another file that has its name or its inode. */
struct state_log {
	char *path; /* owned */
	uint64_t dev, ino, head;
	int64_t offset;
};

/* What is kept between two runs: the counters, and the lines that are in them. */
struct state {
	const char *path;
	int fd; /* of the new file, which is locked; -1: none */
	struct state_log log[STATE_LOGS];
	size_t n;
	char *cursor; /* of the journal, owned; NULL: none */
	struct counters counters;
};

/*
 * Read the file, or begin anew if there is none, and keep others from it until state_close. Returns 0, or -1 with errno
 * set (EAGAIN: another process has it; EINVAL: it has another form; EPERM: it, or the one that will replace it, is a
 * link or another user's).
 */
int state_open(struct state *s, const char *path);

/* Write the file, whole or not at all. Returns 0, or -1 with errno set. */
int state_save(struct state *s);

void state_close(struct state *s);

/* The position of a log; a new one has offset -1. Returns NULL with errno set (ENOMEM, ENOSPC, EINVAL). */
struct state_log *state_log(struct state *s, const char *path);

/* The sum of the first n octets of a log, at most STATE_HEAD. Returns 0, or -1 with errno set (EIO: it is shorter). */
int state_head(int fd, int64_t n, uint64_t *sum);

#endif
