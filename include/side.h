/* ISC licence, see LICENSE. */
#ifndef SIDE_H
#define SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * One side of a pump: descriptors to read from and write to, sockets or pipes, blocking or not, that are never waited
 * for. It remembers what poll said and asks the system only where that can bring something, so edges are enough.
 */
enum { SIDE_WAIT = -2 }; /* of side_read and side_write: not now */

struct side {
	int in, out; /* -1: none. May be the same; they stay the caller's */
	bool in_socket, out_socket;
	bool readable, writable; /* no call since has said otherwise */
	bool hup;                /* the other side is at its end: no further event will announce it */
};

void side_open(struct side *s, int in, int out);

/* As read(2) and write(2), or SIDE_WAIT. A write to a pipe may take less than it could. */
ssize_t side_read(struct side *s, void *p, size_t n);
ssize_t side_write(struct side *s, const void *p, size_t n);

/* poll said this of fd, which may be of this side or not. */
void side_event(struct side *s, int fd, short events);

#endif
