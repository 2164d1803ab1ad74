/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_FILE_H
#define MSA_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* All n octets to a file, whatever interrupts. 0, or -1 with errno. */
int file_write(int fd, const char *p, size_t n);

/* All n octets of a file from off on, by pread. 0, or -1 with errno (EIO: it ends before that). */
int file_read(int fd, char *p, size_t n, off_t off);

/* fd 0 as a stage gets it. The size, or -1: errno, or ESPIPE where it is no regular file (chain(7): refused). */
off_t file_size(int fd);

/* All of a file that is at most max octets into b, by pread. 0, or -1 with errno (EFBIG: over max). */
int file_slurp(int fd, size_t max, struct buf *b);

/*
 * Finish a file that was written: sync it to the disk and close fd, which is closed in any case. result: of the writes
 * before, 0, or -1 with errno set. Returns 0, or -1 with errno set, by the first step that failed.
 */
int file_finish(int fd, int result);

#endif
