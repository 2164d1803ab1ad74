/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_OS_H
#define MSA_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What differs between systems, and nothing else. lib/base/os.c has a plain POSIX implementation of each function where
 * there is one. All descriptors made here are close-on-exec.
 * The functions that return an int return 0, or -1 with errno set, unless they say otherwise.
 */

/*
 * Make an anonymous file: in memory where the system has such files, otherwise unlinked in TMPDIR. name is for
 * debugging. Returns a descriptor for reading and writing, or -1 with errno set.
 */
int os_memory_file(const char *name);

/* Returns the directory for temporary files: TMPDIR, or /tmp. Borrowed from the environment. */
const char *os_temporary(void);

/* Make an unlinked file in that directory, mode 0444. *rd is open for reading only, *wr for writing. */
int os_disk_file(int *rd, int *wr);

/* Make a file of os_memory_file immutable. Does nothing if it is a file in TMPDIR. */
int os_seal(int fd);

/*
 * Append n octets of in, from offset off on, to out. The offset of in itself stays.
 * Returns 0, or -1 with errno set (EIO: in ends earlier).
 */
int os_copy(int out, int in, off_t off, off_t n);

/*
 * Copy at most n octets of in, from *off on, to a socket, in one system call, and advance *off. Returns the number of
 * octets, or -1 with errno set (ENOSYS or EINVAL: the system or these descriptors do not support it).
 */
ssize_t os_copy_some(int out, int in, off_t *off, size_t n);

/*
 * Open the regular file behind fd again for reading, with an offset of its own at 0. Returns the descriptor, or -1 with
 * errno set (ENOSYS: the system cannot; make a copy).
 */
int os_reopen(int fd);

/* Flush the names in the directory path, relative to the descriptor dir, to the disk, if the system can do that. */
int os_sync_dir(int dir, const char *path);

/* Flush the whole file system of fd to the disk (ENOSYS: the system cannot; use os_sync_dir). */
int os_sync_all(int fd);

/* Fill buf with n octets of cryptographic randomness. */
int os_random(void *buf, size_t n);

/* Forbid other processes of this uid to trace or dump this one. */
int os_undumpable(void);

/*
 * Have this process get a signal when its parent ends. Returns 0, or -1 with errno set (ENOSYS: the system cannot). The
 * parent may have ended before: compare getppid.
 */
int os_end_with_parent(int number);

/* Return unused memory to the system, before a long wait. */
void os_give_back(void);

/* Open /dev/null on each of the descriptors 0, 1 and 2 that is closed: the next open() would take its number. */
int os_fill_standard(void);

/* Close every descriptor from lowest on. */
void os_close_from(int lowest);

/*
 * Close the inherited descriptors from lowest on: those without close-on-exec. Whatever this process opened has that
 * flag (chain(7)), so what main opened stays.
 */
void os_close_inherited(int lowest);

/*
 * os_signals: block SIGTERM, SIGINT, SIGHUP, SIGALRM and SIGCHLD, and return a descriptor that is readable when one of
 * them has come, or -1 with errno set. os_signal: return the next signal from that descriptor, or 0 if there is none.
 * os_signals_restore: unblock them, in a child that is not a pool.
 */
int os_signals(void);
int os_signal(int fd);
void os_signals_restore(void);

/* Give signals their default action and unblock all, before exec: ignored and blocked signals would survive it. */
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
 * A worker's wait for a call at a non-blocking listener that it shares with other workers. A call wakes only one of
 * them where the system supports that.
 * os_wait returns OS_CALL (accept now; another worker may be faster, then os_accept fails with EAGAIN), OS_END (end is
 * readable or closed), or OS_NOTHING (wait_ms have passed).
 */
struct os_waiter {
	int listener, end;
	int fd; /* of the epoll instance; -1: none */
};
enum os_wait { OS_NOTHING, OS_CALL, OS_END };
int os_waiter_open(struct os_waiter *w, int listener, int end);
enum os_wait os_wait(const struct os_waiter *w, int wait_ms);

/* accept(2) with close-on-exec. Returns the descriptor, or -1 with errno set. */
int os_accept(int listener);

/* Set *uid to the uid of the process at the other end of a connected Unix socket. */
int os_peer_uid(int fd, uid_t *uid);

/*
 * Returns true if the process that connected to the Unix socket fd has one of the n groups, as its own or, on Linux, as
 * a supplementary one. The kernel says so: no name service is asked.
 */
bool os_peer_in(int fd, const gid_t *gid, size_t n);

#endif
