/* ISC licence, see LICENSE. */
#ifndef MSA_NET_FDPAIR_H
#define MSA_NET_FDPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * One side of a pump: descriptors to read from and write to, sockets or pipes, blocking or not, that are never waited
 * for. It remembers what poll said and asks the system only where that can bring something, so edges are enough.
 */
enum { FDPAIR_WAIT = -2 }; /* of fdpair_read and fdpair_write: not now */

struct fdpair {
	int in, out; /* -1: none. May be the same; they stay the caller's */
	bool in_socket, out_socket;
	bool readable, writable; /* no call since has said otherwise */
	bool hup;                /* the other side is at its end: no further event will announce it */
};

void fdpair_open(struct fdpair *s, int in, int out);

/* As read(2) and write(2), or FDPAIR_WAIT. A write to a pipe may take less than it could. */
ssize_t fdpair_read(struct fdpair *s, void *p, size_t n);
ssize_t fdpair_write(struct fdpair *s, const void *p, size_t n);

/* poll said this of fd, which may be of this side or not. */
void fdpair_event(struct fdpair *s, int fd, short events);

#endif
