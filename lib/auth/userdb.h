/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_USERDB_H
#define MSA_AUTH_USERDB_H

#include <cdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * The embedded user store: a cdb of users and their credentials, never a plaintext password. Made by msa-passwd(8),
 * read by authd.
 *
 * Key: the user's name as userdb_name makes it. Value: lines (LF), each one credential, "label:credential", and "!"
 * for a user who may not log in. A credential is one of
 *     SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey   RFC 5803; salt and keys in base64
 *     SSHA256$salt$hash   SHA-256 of salt and password: only for passwords that were generated with 128 bits of
 *                         entropy, to which stretching would add nothing
 *     $...                crypt(3)
 * Key "": "1:iterations:secret": the format; the iterations and the secret (base64) from which an unknown user gets a
 * salt that looks like anybody's. A cdb without it is something else's.
 */
enum {
	USERDB_NAME_MAX = 255,     /* octets */
	USERDB_PASSWORD_MAX = 255, /* octets */
	USERDB_LABEL_MAX = 64,     /* octets of letters, digits, "." "_" "-" */
	USERDB_VALUE_MAX = 65536,  /* octets of one user's credentials */
	USERDB_SECRET = 32,        /* octets */
	USERDB_ITERATIONS = 10000, /* by default: 2 to 4 ms of one processor for a PLAIN login */
	USERDB_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
	USERDB_ITERATIONS_MAX = 10000000,
};

struct userdb {
	struct cdb cdb;
	int fd; /* close-on-exec */
	unsigned iterations;
	unsigned char secret[USERDB_SECRET];
};

/* Open path for reading. 0, or -1 with errno (EINVAL: it is no user store; *why says so, a constant, else NULL). */
int userdb_open(struct userdb *db, const char *path, const char **why);
void userdb_close(struct userdb *db);

/*
 * The name under which a user is kept: well-formed UTF-8 without control characters, 1 to USERDB_NAME_MAX octets, no
 * space at either end; what follows the last "@" in lower case (ASCII), for domains have no case, all else as given.
 * name has room for USERDB_NAME_MAX + 1. 0, or -1: there can be no such user.
 */
int userdb_name(char *name, const char *given, size_t len);

enum userdb_result {
	USERDB_RIGHT,
	USERDB_WRONG,
	USERDB_UNKNOWN, /* no such user */
	USERDB_LOCKED,
	USERDB_ERROR,   /* the store cannot be read, or no memory: nothing is known */
};

/*
 * Is password one of the user's? As much work is done for a user who is unknown or locked as for a wrong password.
 * label gets the label of the right one, has room for USERDB_LABEL_MAX + 1.
 */
enum userdb_result userdb_check(struct userdb *db, const char *name, const char *password, size_t len, char *label);

/*
 * May the user log in, who has proved by something else than a password who it is? USERDB_RIGHT, also where there is no
 * credential; UNKNOWN, LOCKED or ERROR.
 */
enum userdb_result userdb_admits(struct userdb *db, const char *name);

/*
 * Append the verifier for SCRAM-SHA-256, the first of the user's that is one. Where there is none (USERDB_UNKNOWN,
 * LOCKED, or WRONG: other credentials only) it is one that no password fits, the same for the same user each time.
 * Result else USERDB_RIGHT or USERDB_ERROR.
 */
enum userdb_result userdb_scram(struct userdb *db, const char *name, struct buf *verifier, char *label);

/* Make credentials: append to out. 0, or -1 with errno (ENOMEM, EIO). */
int userdb_make_scram(struct buf *out, const char *password, size_t len, unsigned iterations);
int userdb_make_random(struct buf *out, const char *password, size_t len);

/* s is a credential of one of the kinds above. */
bool userdb_is_credential(const char *s);
bool userdb_is_label(const char *s);

/* A change of the store, made in a new file that takes the old one's place; one at a time. */
struct userdb_change {
	struct userdb old;
	bool exists;    /* there is an old store */
	int lock;       /* the directory, locked */
	char *path;     /* owned; symbolic links followed */
};

/* Lock and read. A store that does not exist counts as empty. 0, or -1 as userdb_open. */
int userdb_change_begin(struct userdb_change *c, const char *path, const char **why);

/* The value of name. 1: found, appended; 0: none; -1 with errno. */
int userdb_change_get(struct userdb_change *c, const char *name, struct buf *value);

/*
 * Step through the names: *pos starts at 0. 1: the next user's name (NUL-ended, borrowed from name) and value;
 * 0: no more; -1 with errno.
 */
int userdb_change_next(struct userdb_change *c, unsigned *pos, struct buf *name, struct buf *value);

/*
 * Write the store with value for name (NULL: without it), iterations for those that are unknown (0: as before). On
 * disk when it returns 0; at -1 with errno all is as before.
 */
int userdb_change_commit(struct userdb_change *c, const char *name, const struct buf *value, unsigned iterations);

void userdb_change_end(struct userdb_change *c);

#endif
