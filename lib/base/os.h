/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_OS_H
#define MSA_BASE_OS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What differs between systems, and nothing else. lib/os.c has a plain POSIX way for each.
 * All descriptors made here are close-on-exec. 0, or -1 with errno, unless said otherwise.
 */

/* An anonymous regular file in memory where the system has such files, else unlinked in TMPDIR. Read-write. */
int os_memory_file(const char *name);

/* An anonymous regular file in TMPDIR (/tmp): *rd is opened read-only, *wr for writing, no name, mode 0444. */
int os_disk_file(int *rd, int *wr);

/* Nobody can write to a file of os_memory_file any more; a no-op where it is a file in TMPDIR. */
int os_seal(int fd);

/* Append n octets of in, from offset off on (its own offset is left alone), to out. -1 with EIO: in is shorter. */
int os_copy(int out, int in, off_t off, off_t n);

/*
 * One step of that into a socket: at most n octets from *off on, which moves. How many; or -1 with errno, ENOSYS and
 * EINVAL where the system or the descriptors do not allow it.
 */
ssize_t os_copy_some(int out, int in, off_t *off, size_t n);

/*
 * The same regular file, opened anew to read: an offset of its own, at 0. The descriptor; -1 with errno, ENOSYS where
 * the system cannot (the caller copies then).
 */
int os_reopen(int fd);

/* What is named in the directory path, from the descriptor dir on, is on the disk, so far as the system can do that. */
int os_sync_dir(int dir, const char *path);

/* n octets of randomness that an adversary cannot guess. */
int os_random(void *buf, size_t n);

/* Other processes of the same uid cannot trace or dump this one. */
int os_undumpable(void);

/* Give memory that is not in use back to the system, where that can be asked: a process is about to wait for long. */
void os_give_back(void);

/* Where 0, 1 or 2 is closed, /dev/null is opened there: it would be the next file opened. */
int os_fill_standard(void);

/* Close every descriptor from lowest on. */
void os_close_from(int lowest);

/*
 * Close every descriptor from lowest on that is not close-on-exec. One that was inherited never is, one that this
 * process opened always is (chain(7)), so what main opened stays.
 */
void os_close_inherited(int lowest);

/*
 * SIGTERM, SIGINT, SIGHUP, SIGALRM and SIGCHLD as input of a descriptor, which is readable when one has come; they
 * interrupt nothing any more. os_signal gives the next one, 0: none. A child that is no pool undoes it with
 * os_signals_restore.
 */
int os_signals(void);
int os_signal(int fd);
void os_signals_restore(void);

/* Signals as a program expects them: what is ignored or blocked would survive exec. */
void os_signals_default(void);

/*
 * How the supervisor learns that we are ready: s6 by a descriptor, systemd by the socket that NOTIFY_SOCKET names. Call
 * os_notify_take before any fork and before the environment is copied: it removes NOTIFY_SOCKET, so that no program
 * that is started later inherits it. fd is -1 where there is no descriptor.
 */
enum { OS_NOTIFY_MAX = 108 }; /* octets of a Unix socket's path, with a NUL */

struct os_notify {
	int fd;                   /* -1: none */
	char path[OS_NOTIFY_MAX]; /* "": none */
};

void os_notify_take(struct os_notify *n, int fd);

/*
 * Report readiness: write where ("", or text that s6 skips), and a newline to the descriptor, which is then closed, and
 * READY=1 to the socket. Returns 0, or -1 with errno set.
 */
int os_ready(struct os_notify *n, const char *where);

/*
 * A worker's wait for its next call at a listener that it shares with others: one call wakes one of those who wait,
 * where the system can do that. The listener is non-blocking. os_wait: OS_CALL (others may be faster: os_accept then
 * says EAGAIN), OS_END once end is readable or closed, OS_NOTHING after wait_ms.
 */
struct os_waiter {
	int listener, end;
	int fd; /* of the system's means; -1: none */
};
enum os_wait { OS_NOTHING, OS_CALL, OS_END };
int os_waiter_open(struct os_waiter *w, int listener, int end);
enum os_wait os_wait(const struct os_waiter *w, int wait_ms);

/* accept(2), close-on-exec. The descriptor, or -1. */
int os_accept(int listener);

/* The uid at the other end of a connected Unix socket. */
int os_peer_uid(int fd, uid_t *uid);

#endif
