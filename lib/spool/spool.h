/* ISC licence, see LICENSE. */
#ifndef MSA_SPOOL_SPOOL_H
#define MSA_SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/id.h"
#include "spool/spoolrec.h"

/*
 * The directory of spool(8): of one user, mode 0700, and in it
 *
 *	tmp/ID    a message that is being written, or removed
 *	new/ID    a message that the runner has not seen yet
 *	cur/ID    a message that it has
 *	lock      locked by the runner
 *	trigger   a fifo: the runner is woken by an octet
 *
 * A message is a directory, so that it comes and goes by one rename: "message", its octets, which never change, and
 * "envelope", what is known of it (spooled.h), which is replaced by rename. ID is an id of id.h, never a text of
 * somebody else's.
 *
 * Every function gives 0, or -1 with errno, unless said otherwise.
 */
struct spool {
	int dir;
};

/*
 * Open the directory at path, and make what is missing in it. EPERM: it is not the process's own, or others may write
 * to it.
 */
int spool_open(struct spool *s, const char *path);
void spool_close(struct spool *s);

/* Only to look, or to wake the runner: root may do so with everybody's, and nothing is made. */
int spool_look(struct spool *s, const char *path);

/*
 * Put a message into it: spool_write has it whole and on the disk, in tmp, and chooses its id; spool_commit makes it a
 * message of the spool, on the disk too when it returns 0, and wakes the runner; spool_discard forgets what was
 * written, or what spool_commit has failed with. least: octets of the file system that must stay free, else ENOSPC.
 */
int spool_write(const struct spool *s, const struct spoolrec *m, int message, off_t size, off_t least, char id[ID_MAX]);
int spool_commit(const struct spool *s, const char *id);
void spool_discard(const struct spool *s, const char *id);

/* Call f for the id of each message in sub, "new" or "cur", in no order; it may move them. Ends where f says -1. */
int spool_each(const struct spool *s, const char *sub, int (*f)(void *arg, const char *id), void *arg);

/* From new to cur. */
int spool_accept(const struct spool *s, const char *id);

/* When a message of cur is to be tried. ENOENT: it is gone; EINVAL: damaged. */
int spool_due(const struct spool *s, const char *id, time_t *due);

/* What is known of a message of sub; and, where message is not NULL, its octets, a descriptor of the caller's. */
int spool_load(const struct spool *s, const char *sub, const char *id, struct spoolrec *m, int *message,
    const char **why);

/* Replace what is known of a message of cur: afterwards it is on the disk, and at -1 the former is. */
int spool_save(const struct spool *s, const char *id, const struct spoolrec *m);

/* Remove a message from cur: when it returns 0 it will not come back. */
int spool_remove(const struct spool *s, const char *id);

/* Remove what was left in tmp by processes that died, SPOOL_STALE_S ago or longer. */
enum { SPOOL_STALE_S = 3600 };
void spool_sweep(const struct spool *s);

/*
 * Be the runner: the descriptor that holds the lock; children hold it too. wait: until it can be had; else EWOULDBLOCK.
 */
int spool_lock(const struct spool *s, bool wait);

/*
 * The runner's end of the trigger, non-blocking, and what comes there: SPOOL_NEW and SPOOL_ALL. spool_wake writes one
 * of them; where no runner listens that is no error.
 */
enum { SPOOL_NEW = 'n', SPOOL_ALL = 'a' };
int spool_listen(const struct spool *s);
int spool_wake(const struct spool *s, char what);

#endif
