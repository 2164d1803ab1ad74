/* ISC licence, see LICENSE. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <sys/types.h>

#include "buf.h"

/*
 * A message being written: what becomes fd 0 of the message chain. Up to CHAIN_MEMORY_MESSAGE octets it is collected in
 * memory, beyond that in an unlinked file. Zero-initialised it is empty.
 */
struct message {
	struct buf mem; /* not yet in a file */
	off_t size;     /* octets so far */
	int rd, wr;     /* valid once spilled is set */
	int spilled;
};

/* 0, or -1 with errno (ENOMEM, ENOSPC, ...). */
int message_add(struct message *m, const void *data, size_t n);

/* n octets of a file, from off on, without passing through the process where the system can. As message_add. */
int message_add_file(struct message *m, int fd, off_t off, off_t n);

/*
 * The complete message as a regular file that nobody can write to any more, offset 0, close-on-exec. The descriptor
 * is the caller's; m is empty again. -1 with errno.
 */
int message_finish(struct message *m);

/* n octets as such a file: a whole message or envelope that is at hand. -1 with errno. */
int message_file(const char *p, size_t n);

void message_free(struct message *m);

/* All n octets to a file, whatever interrupts. 0, or -1 with errno. */
int message_write(int fd, const char *p, size_t n);

/* All n octets of a file from off on, by pread. 0, or -1 with errno (EIO: it ends before that). */
int message_read(int fd, char *p, size_t n, off_t off);

/* fd 0 as a stage gets it. The size, or -1: errno, or ESPIPE where it is no regular file (chain(7): refused). */
off_t message_size(int fd);

/* All of a file that is at most max octets into b, by pread. 0, or -1 with errno (EFBIG: over max). */
int message_slurp(int fd, size_t max, struct buf *b);

#endif
