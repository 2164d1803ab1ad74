/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_USERDB_EDIT_H
#define MSA_AUTH_USERDB_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/userdb.h"
#include "msa/buf.h"

/*
 * Changes of the user store (userdb.h). Only msa-passwd(8) links this: authd, which talks to strangers, has no code
 * that writes the store.
 */

/*
 * Make a credential of a password and append it to out. hashes: a bit for each of credential_hashes that gets a
 * verifier, the first one's is 1. Returns 0, or -1 with errno set (ENOMEM; EIO: no randomness).
 */
int userdb_make_scram(struct buf *out, const char *password, size_t len, unsigned iterations, unsigned hashes);
int userdb_make_random(struct buf *out, const char *password, size_t len);

/*
 * Append the credential of another system in the form in which it is stored: one of credential.h as it is, one of
 * crypt(3) without the prefix that Dovecot and others put in front of it, {SHA512-CRYPT}, or Dovecot's {SCRAM-SHA-1}
 * and {SCRAM-SHA-256}. Verifiers of SCRAM may be several, a space between. Returns 0, or -1 with errno set (EINVAL: not
 * such a credential; ENOMEM).
 */
int userdb_import(struct buf *out, const char *credential);

/* A change of the store, which is written as a new file that then replaces the old one. One process at a time. */
struct userdb_change {
	struct userdb old;
	bool exists;    /* there is an old store */
	int lock;       /* the directory, locked; -1: no change has begun */
	char *path;     /* owned; symbolic links followed */
};

/*
 * Lock the store's directory and open the store. A store that does not exist counts as empty. Returns 0, or -1 with
 * errno and *why set as by userdb_open; then no change has begun.
 */
int userdb_change_begin(struct userdb_change *c, const char *path, const char **why);

/* Append the value of name. Returns 1, or 0: no such name, or -1 with errno set. */
int userdb_change_get(struct userdb_change *c, const char *name, struct buf *value);

/*
 * Step through the users: *pos starts at 0. Returns 1 with the next user's name (NUL-ended) and value in these bufs, or
 * 0: no more, or -1 with errno set.
 */
int userdb_change_next(struct userdb_change *c, unsigned *pos, struct buf *name, struct buf *value);

/*
 * Find another user whose name is the same as name but for upper and lower case. Returns 1 with that name in other
 * (NUL-ended), or 0: there is none, or -1 with errno set.
 */
int userdb_change_similar(struct userdb_change *c, const char *name, struct buf *other);

enum userdb_commit {
	USERDB_COMMIT_DONE,      /* the new store is in place, and on disk */
	USERDB_COMMIT_UNFLUSHED, /* the new store is in place, but a crash of the system may bring the old one back: errno */
	USERDB_COMMIT_FAILED,    /* the old store is in place, unchanged: errno */
};

/* What becomes of one name. Both are borrowed. */
struct userdb_item {
	const char *name;
	const struct buf *value; /* NULL: the store has no such user any more */
};

/* Find a name among n items, which are in the order of strcmp(3). Returns it, or NULL. */
const struct userdb_item *userdb_item_find(const struct userdb_item *item, size_t n, const char *name);

/*
 * Write the store with these n items, which are in the order of strcmp(3) and have each name once. Other users stay, or
 * with only they go. iterations is for the salt of unknown users (0: as before).
 */
enum userdb_commit userdb_change_commit(struct userdb_change *c, const struct userdb_item *item, size_t n, bool only,
    unsigned iterations);

/* Unlock, and free what c owns. errno stays. */
void userdb_change_end(struct userdb_change *c);

#endif
