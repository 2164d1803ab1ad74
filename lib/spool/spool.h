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
 * Its file "envelope" holds the record of the message (spoolrec.h); only the runner replaces it, by rename. An order of
 * the administrator is a mark, an empty file, so that the order and the record of a round cannot overwrite each other.
 * ID comes from id_make and never from outside.
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

/* Returns true if s has the form of an id of id_make: no path leads out of the spool. */
bool spool_is_id(const char *s);

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

/*
 * The marks: what an administrator wants of a message. SPOOL_RETURN is stronger than SPOOL_HOLD, and SPOOL_HOLD than
 * SPOOL_TRY. spool_mark, spool_unmark and spool_flush find the message in new or cur, and fail with ENOENT if there is
 * none. A mark that is there, or not there, as it should be is no error. Once spool_flush has succeeded, the marks
 * survive a crash of the system. spool_flush_all does the same for all messages at once, which is faster for many; it
 * fails with ENOSYS where the system cannot.
 */
enum spool_mark {
	SPOOL_HOLD,   /* no attempt, and no end of life, until the mark goes */
	SPOOL_TRY,    /* an attempt as soon as possible */
	SPOOL_RETURN, /* no attempt: the recipients that wait have failed, and the sender gets a report */
};
int spool_mark(const struct spool *s, const char *id, enum spool_mark mark);
int spool_unmark(const struct spool *s, const char *id, enum spool_mark mark);
int spool_flush(const struct spool *s, const char *id);
int spool_flush_all(const struct spool *s);
bool spool_has_mark(const struct spool *s, const char *sub, const char *id, enum spool_mark mark);

/* Returns true if a message of sub must not be tried: it has SPOOL_HOLD, and not SPOOL_RETURN. */
bool spool_is_held(const struct spool *s, const char *sub, const char *id);

/*
 * Set *due to the time of the next attempt for a message of cur, by its marks and else by its record: SPOOLREC_NEVER if
 * the message is held. Fails with ENOENT (removed) or EINVAL (damaged).
 */
int spool_due(const struct spool *s, const char *id, time_t *due);

/*
 * Read the record of a message of sub into *m, which must be empty. If message is not NULL, open the octets too: the
 * caller closes *message. On failure m is empty and *why, a constant, says what failed.
 */
int spool_load(const struct spool *s, const char *sub, const char *id, struct spoolrec *m, int *message,
    const char **why);

/* Open a file of a message, "envelope" or "message", for reading. Returns the descriptor, or -1 with errno set. */
int spool_open_file(const struct spool *s, const char *sub, const char *id, const char *file);

/* Returns the octets of a message of sub, or -1 with errno set. */
off_t spool_size(const struct spool *s, const char *sub, const char *id);

/* Returns true if a message, whole or damaged, is in sub. */
bool spool_is_in(const struct spool *s, const char *sub, const char *id);

/* Replace the record of a message of cur, on the disk. If this fails before the rename, the former record stays. */
int spool_save(const struct spool *s, const char *id, const struct spoolrec *m);

/* Remove a message from cur. After success it cannot reappear, not even after a crash of the system. */
int spool_remove(const struct spool *s, const char *id);

/*
 * The same in steps, for many messages: take all out, then flush new and cur once, then discard all. Without the last
 * step spool_sweep removes them later.
 */
int spool_take_out(const struct spool *s, const char *sub, const char *id);
int spool_flush_folders(const struct spool *s);

/*
 * Move a message from sub to the folder new of another spool on the same file system; the caller holds the lock of the
 * first spool, and flushes the folders of both. Whatever happens, one of the two has the message. Fails with EEXIST if
 * the other spool has a message of that id, or with EXDEV.
 */
int spool_move(const struct spool *s, const char *sub, const char *id, const struct spool *to);

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
 * spool_wake writes one octet there: SPOOL_NEW (look for new messages), SPOOL_ALL (try all messages now) or SPOOL_MARKS
 * (look at the marks of all messages). Without a runner it does nothing and succeeds. It fails with EAGAIN if the
 * runner is stopped and has not read thousands of octets; SPOOL_NEW is not lost by that. spool_has_runner says whether
 * somebody would read the octet.
 */
enum { SPOOL_NEW = 'n', SPOOL_ALL = 'a', SPOOL_MARKS = 'm' };
int spool_listen(const struct spool *s);
int spool_wake(const struct spool *s, char what);
bool spool_has_runner(const struct spool *s);

#endif
