/* ISC licence, see LICENSE. */
#ifndef MSA_SPOOL_SPOOL_H
#define MSA_SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/id.h"
#include "spool/spoolrec.h"

/*
 * The directory of spool(8). It belongs to one user and has mode 0700:
 *
 *	tmp/ID    a message that is being written or removed
 *	new/ID    a message that the runner has not seen yet
 *	cur/ID    a message that the runner has seen
 *	lock      locked by the runner
 *	trigger   a fifo: an octet wakes the runner
 *
 * A message is a directory, so one rename adds or removes it. Its file "message" holds the octets and never changes.
 * Its file "envelope" holds the record of the message (spoolrec.h) and is replaced by rename. ID comes from id_make and
 * never from outside.
 *
 * Every function returns 0, or -1 with errno set, unless its comment says otherwise.
 */
struct spool {
	int dir;
};

/*
 * Open the spool at path, a directory, and make the parts that are missing in it. Fails with EPERM if the directory
 * belongs to another user, or if others may write to it. *why is the reason, valid until the next call of strerror(3).
 */
int spool_open(struct spool *s, const char *path, const char **why);
void spool_close(struct spool *s);

/* Open a spool only to list it or to wake its runner. Makes nothing and checks no owner, so root can use any spool. */
int spool_look(struct spool *s, const char *path);

/*
 * Add a message. spool_write writes it to tmp, complete and on the disk, and chooses its id; it fails with ENOSPC if
 * fewer than least octets of the file system would stay free. spool_commit moves it to new, on the disk, and wakes the
 * runner. spool_discard removes it, instead of spool_commit or after spool_commit failed.
 */
int spool_write(const struct spool *s, const struct spoolrec *m, int message, off_t size, off_t least, char id[ID_MAX]);
int spool_commit(const struct spool *s, const char *id);
void spool_discard(const struct spool *s, const char *id);

/*
 * Call f for the id of each message in sub ("new" or "cur"), in no particular order. f may move the message. If f
 * returns -1, stop and return -1 with f's errno.
 */
int spool_each(const struct spool *s, const char *sub, int (*f)(void *arg, const char *id), void *arg);

/* Move a message from new to cur. */
int spool_accept(const struct spool *s, const char *id);

/* Set *due to the time of the next attempt for a message of cur. Fails with ENOENT (removed) or EINVAL (damaged). */
int spool_due(const struct spool *s, const char *id, time_t *due);

/*
 * Read the record of a message of sub into *m, which must be empty. If message is not NULL, open the octets too: the
 * caller closes *message. On failure m is empty and *why, a constant, says what failed.
 */
int spool_load(const struct spool *s, const char *sub, const char *id, struct spoolrec *m, int *message,
    const char **why);

/* Replace the record of a message of cur, on the disk. If this fails before the rename, the former record stays. */
int spool_save(const struct spool *s, const char *id, const struct spoolrec *m);

/* Remove a message from cur. After success it cannot reappear, not even after a crash of the system. */
int spool_remove(const struct spool *s, const char *id);

/* Remove from tmp what dead processes have left: directories unchanged for more than SPOOL_STALE_S seconds. */
enum { SPOOL_STALE_S = 3600 };
void spool_sweep(const struct spool *s);

/*
 * Take the runner's lock, waiting for it if wait; else fail with EWOULDBLOCK.
 * Returns the descriptor that holds the lock, or -1 with errno set. Children inherit the descriptor and so hold the
 * lock too.
 */
int spool_lock(const struct spool *s, bool wait);

/*
 * spool_listen opens the runner's end of the trigger, non-blocking, and returns its descriptor, or -1 with errno set.
 * spool_wake writes one octet there: SPOOL_NEW (look for new messages) or SPOOL_ALL (try all messages now). Without a
 * runner it does nothing and succeeds.
 */
enum { SPOOL_NEW = 'n', SPOOL_ALL = 'a' };
int spool_listen(const struct spool *s);
int spool_wake(const struct spool *s, char what);

#endif
