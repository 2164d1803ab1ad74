/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_USERDB_H
#define MSA_AUTH_USERDB_H

#include <cdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "auth/credential.h"
#include "auth/userdb_name.h"
#include "base/table.h"
#include "base/username.h"
#include "msa/buf.h"

/*
 * The user store: a cdb of users and their credentials, never a password in clear. msa-passwd(8) writes it
 * (userdb_edit.h), authd reads it.
 *
 * Key: the user's name as userdb_fold makes it. Value: lines that end with LF: "!" first if the user is locked, then
 * one "label:credential" for each password (credential.h). Key "": "1:iterations:secret", which is the format's number,
 * the iterations of the next password, and a secret in base64 from which an unknown user gets a salt that looks like
 * any other. If the users' verifiers have other iterations too, ",iterations*users" follows the first number for each
 * count of iterations, and an unknown user has one of these. A cdb without this key is not a user store.
 */
enum {
	USERDB_PASSWORD_MAX = 255, /* octets */
	USERDB_LABEL_MAX = USERNAME_LABEL_MAX,
	USERDB_VALUE_MAX = 65536,  /* octets of one user's credentials */
	USERDB_SECRET = 32,        /* octets */
	USERDB_COUNTS_MAX = 8,     /* different iterations that unknown users may have */
	USERDB_ITERATIONS = 10000, /* by default: 2 to 4 ms of one processor for a PLAIN login */
};

struct userdb {
	struct cdb cdb;
	struct table_file file; /* that is open */
	int fd; /* close-on-exec */
	unsigned iterations;             /* of the next password */
	struct userdb_count {
		unsigned iterations, users;
	} count[USERDB_COUNTS_MAX];      /* of the users' verifiers, ncounts of them; none: all have iterations */
	size_t ncounts;
	unsigned char secret[USERDB_SECRET];
};

/*
 * Open path for reading. Returns 0, or -1 with errno set; EINVAL: not a user store, and *why is a constant text that
 * says why; otherwise *why is NULL.
 */
int userdb_open(struct userdb *db, const char *path, const char **why);

/* The same for a file that is open: fd belongs to db afterwards, and is closed if it cannot be used. */
int userdb_take(struct userdb *db, int fd, const char **why);
void userdb_close(struct userdb *db);

/*
 * Bring a name that userdb_name made into the form that is the user's key: all of it in lower case (username.h). In a
 * store that an earlier msa-passwd wrote, a key may have capital letters: name stays if it is such a key, and no user
 * has the name in lower case.
 */
void userdb_fold(struct userdb *db, char *name);

enum userdb_result {
	USERDB_RIGHT,
	USERDB_WRONG,
	USERDB_UNKNOWN, /* no such user */
	USERDB_LOCKED,
	USERDB_ERROR,   /* the store cannot be read, or no memory: nothing is known */
};

/*
 * Compare password to the user's credentials. label has room for USERDB_LABEL_MAX + 1 and gets the label of the right
 * password, otherwise "". Sets *worked if that took the work that a slow hash takes: otherwise a refusal comes after
 * userdb_work, so that no time tells an unknown or locked user from a wrong password.
 */
enum userdb_result userdb_check(struct userdb *db, const char *name, const char *password, size_t len, char *label,
    bool *worked);

/*
 * Do the work of a slow hash for nothing, as it is for an unknown user of this name. Returns 0, or -1 with errno
 * ENOMEM.
 */
int userdb_work(struct userdb *db, const char *name);

/* Returns the iterations of the first SCRAM verifier in a user's value that a password is compared with, or 0. */
unsigned userdb_iterations(const struct buf *value);

/*
 * Look up a user who was authenticated without a password. Returns USERDB_RIGHT if the user may log in, even without
 * any credential; otherwise USERDB_UNKNOWN, USERDB_LOCKED or USERDB_ERROR.
 */
enum userdb_result userdb_admits(struct userdb *db, const char *name);

/*
 * Append a verifier for SCRAM with this hash: the user's first one. Returns USERDB_RIGHT, or USERDB_ERROR with nothing
 * appended. A user who has none (USERDB_UNKNOWN, USERDB_LOCKED, or USERDB_WRONG: only other credentials) gets one that
 * no password fits, always the same for the same name. label as in userdb_check.
 */
enum userdb_result userdb_scram(struct userdb *db, const struct credential_hash *hash, const char *name,
    struct buf *verifier, char *label);

/* Append the value of name, or of key "". Returns 1, or 0: no such name, or -1 with errno set (EINVAL: unreadable). */
int userdb_get(struct userdb *db, const char *name, struct buf *value);

/*
 * Count the users, and those who are not locked and have no credential. Returns 0, or -1 with errno set (EINVAL:
 * unreadable).
 */
int userdb_count(struct userdb *db, size_t *users, size_t *without);

/* Returns true if s can be a credential's label. */
bool userdb_is_label(const char *s);

#endif
