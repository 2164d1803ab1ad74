/* ISC licence, see LICENSE. */
#ifndef MSA_MSGFILE_H
#define MSA_MSGFILE_H

#include <stddef.h>
#include <sys/types.h>

#include <msa/buf.h>

/*
 * A message that is being written and becomes fd 0 of the message chain. Up to CHAIN_MEMORY_MESSAGE octets stay in
 * memory; a larger message goes to an unlinked file. Zero-initialised it is empty. Call msgfile_free in the end; it
 * does nothing after msgfile_finish has succeeded.
 */
struct msgfile {
	struct buf mem; /* octets that are not in the file yet */
	off_t size;     /* octets so far */
	int rd, wr;     /* the file, if spilled is set */
	int spilled;
};

/* Append n octets. Returns 0, or -1 with errno set (ENOMEM, ENOSPC, ...). */
int msgfile_add(struct msgfile *m, const void *data, size_t n);

/*
 * Append n octets of the file fd, from offset off on, without copying them through the process if the system can.
 * Returns 0, or -1 with errno set as msgfile_add (EIO: the file ends earlier).
 */
int msgfile_add_file(struct msgfile *m, int fd, off_t off, off_t n);

/*
 * Complete the message. Returns a descriptor of an immutable regular file, at offset 0 and close-on-exec, which the
 * caller owns; m is empty again. Returns -1 with errno set on failure.
 */
int msgfile_finish(struct msgfile *m);

/* Make such a file of the n octets at p, a whole message or envelope. Returns as msgfile_finish. */
int msgfile_of(const char *p, size_t n);

void msgfile_free(struct msgfile *m);

#endif
