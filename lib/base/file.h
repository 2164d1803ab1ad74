/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_FILE_H
#define MSA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"

/*
 * Open a file that holds a secret (a key, credentials) for reading. Refuse a file that everybody may read or write.
 * Returns the descriptor, or -1 with errno set (EPERM: open to everybody; EINVAL: not a regular file) and *why the
 * reason, which is valid until the next call of strerror(3).
 */
int file_open_secret(const char *path, const char **why);

/* Open a file that says whom we trust, as public keys do. Refuse one that everybody may write to. Returns as above. */
int file_open_trusted(const char *path, const char **why);

/*
 * Open a directory in which we keep files. Refuse a directory to which everybody may write; with alone, also one that
 * belongs to another user or to which its group may write.
 * Returns the descriptor, or -1 with errno set (EPERM: refused) and *why as file_open_secret sets it.
 */
int file_open_directory(const char *path, bool alone, const char **why);

/*
 * Whole reads and writes. Each function goes on after a signal and after a short read or write.
 */

/* Write the n octets at p where fd stands: a file, a pipe or a socket. Returns 0, or -1 with errno set. */
int file_write(int fd, const char *p, size_t n);

/* Write the n octets at p to a file from offset off on; its own offset stays. Returns 0, or -1 with errno set. */
int file_write_at(int fd, const char *p, size_t n, off_t off);

/*
 * Read n octets of a file from offset off on; its own offset stays.
 * Returns 0, or -1 with errno set (EIO: the file ends earlier).
 */
int file_read(int fd, char *p, size_t n, off_t off);

/*
 * Returns the size of the regular file fd, or -1 with errno set (ESPIPE: fd is not a regular file; a stage refuses it
 * as its message or envelope, chain(7)).
 */
off_t file_size(int fd);

/*
 * Append a whole regular file of at most max octets to b; the file's own offset stays.
 * Returns 0, or -1 with errno set (EFBIG: over max; ENOMEM; and as file_size and file_read) and b->len unchanged.
 */
int file_slurp(int fd, size_t max, struct buf *b);

/*
 * Finish a file that was written: sync it to the disk and close fd, which is closed in any case. result is that of the
 * writes before: 0, or -1 with errno set. Returns 0, or -1 with errno set by the first step that failed.
 */
int file_finish(int fd, int result);

#endif
