/* ISC licence, see LICENSE. */
#ifndef MSA_NET_FDPAIR_H
#define MSA_NET_FDPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * One side of a pump: a descriptor to read from and one to write to, sockets or pipes, blocking or not. Reading and
 * writing never wait. The struct remembers poll's events and makes a system call only if it may move octets, so edges
 * are enough.
 */
enum {
	FDPAIR_WAIT = -2,       /* returned by fdpair_read and fdpair_write: not now */
	FDPAIR_PIPE_PART = 512, /* octets that a pipe takes without blocking once poll reports it writable (POSIX) */
};

struct fdpair {
	int in, out; /* -1: none. May be the same descriptor; both stay the caller's */
	bool in_socket, out_socket;
	bool readable, writable; /* poll reported it, and no call has found otherwise since */
	bool hup;                /* the other side has closed: no further event will report it */
};

/* Returns true if fd is a socket. */
bool fdpair_is_socket(int fd);

void fdpair_open(struct fdpair *s, int in, int out);

/* As read(2) and write(2), or FDPAIR_WAIT. A write to a pipe may take less than it could. */
ssize_t fdpair_read(struct fdpair *s, void *p, size_t n);
ssize_t fdpair_write(struct fdpair *s, const void *p, size_t n);

/* Note what poll reported for fd, which may belong to this side or not. */
void fdpair_event(struct fdpair *s, int fd, short events);

#endif
