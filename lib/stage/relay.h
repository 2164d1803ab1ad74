/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_RELAY_H
#define MSA_STAGE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/fdpair.h"
#include "net/lineio.h"
#include "stage/call.h"

/* A session stage that stays between its peer and the next program: the program is a child, and octets go both ways. */

/* One direction. */
struct relay_flow {
	struct fdpair *from, *to;
	char data[LINEIO_IN_MAX];
	size_t pos, len; /* data[pos..len) is still to be written */
	bool eof;  /* its input has ended */
	bool deaf; /* the other side reads no more */
	void (*note)(void *arg, const char *p, size_t n); /* called with what was read; NULL: nothing */
	void *arg;
};

/* Move octets. Returns false if none could be moved. */
bool relay_move(struct relay_flow *f);

/* Returns true if all that was read is written, and no more will come. */
bool relay_is_over(const struct relay_flow *f);

/* Wait until one of the flows can move. Returns false if the deadline has passed. */
bool relay_wait(struct relay_flow *up, struct relay_flow *down, int64_t deadline_ms);

/*
 * Start argv as the program that serves the session, at the other end of a socket. Returns our end with *pid set, or -1
 * with errno set.
 */
int relay_start(const struct call *call, char *const argv[], pid_t *pid);

enum { RELAY_END_MS = 300000 }; /* for a program that does not end after its input did */

/*
 * Wait for the program to end: a mail server may need time to store what it has accepted. Then end it, but not its
 * process group: a process that it started may be delivering a message.
 */
void relay_finish(pid_t pid);

#endif
