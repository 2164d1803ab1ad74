/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_MSGFILE_H
#define MSA_MAIL_MSGFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/*
 * A message being written: what becomes fd 0 of the message chain. Up to CHAIN_MEMORY_MESSAGE octets it is collected in
 * memory, beyond that in an unlinked file. Zero-initialised it is empty.
 */
struct msgfile {
	struct buf mem; /* not yet in a file */
	off_t size;     /* octets so far */
	int rd, wr;     /* valid once spilled is set */
	int spilled;
};

/* 0, or -1 with errno (ENOMEM, ENOSPC, ...). */
int msgfile_add(struct msgfile *m, const void *data, size_t n);

/* n octets of a file, from off on, without passing through the process where the system can. As msgfile_add. */
int msgfile_add_file(struct msgfile *m, int fd, off_t off, off_t n);

/*
 * The complete message as a regular file that nobody can write to any more, offset 0, close-on-exec. The descriptor
 * is the caller's; m is empty again. -1 with errno.
 */
int msgfile_finish(struct msgfile *m);

/* n octets as such a file: a whole message or envelope that is at hand. -1 with errno. */
int msgfile_of(const char *p, size_t n);

void msgfile_free(struct msgfile *m);

#endif
