/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_PASSCACHE_H
#define MSA_AUTH_PASSCACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/userdb.h"
#include "base/table.h"

/*
 * Passwords that the store has found right, remembered by all workers of a resident, so that the next login costs no
 * slow hash. Neither a user nor a password is in here: an entry is found by HMAC-SHA-256 of both, and of the store's
 * file, with a random key that is nowhere but in this memory. So an entry counts only while the store is the same file.
 *
 * Nobody locks anything, because a worker may be killed at any time. A second HMAC covers all of an entry: where two
 * workers have written at once, or one has not finished, there is no entry.
 */
enum {
	PASSCACHE_SETS = 1024,
	PASSCACHE_WAYS = 8,   /* entries of a set; the one that was not used for the longest time makes room */
	PASSCACHE_KEY = 32,   /* octets of a key, and of an HMAC */
	PASSCACHE_WORDS = 18, /* of 8 octets, for an entry */
};

struct passcache {
	size_t sets;
	int64_t age_ms;      /* how long an entry counts after the password was checked */
	unsigned char key[PASSCACHE_KEY];
	atomic_ullong turns; /* how often an entry was made or found */
	struct passcache_slot {
		atomic_ullong used; /* the last of these turns; 0: never */
		atomic_ullong word[PASSCACHE_WORDS];
	} slot[];
};

/* A login with a password: what an entry is about. All is borrowed. */
struct passcache_login {
	const struct table_file *store;
	const char *user;
	const char *password; /* of len octets, as it was sent */
	size_t len;
};

/* Make a cache in memory that later children share. It stays until they all end. Returns NULL with errno set. */
struct passcache *passcache_new(size_t sets, int64_t age_ms);

/* Returns true if this login was right less than the age ago. now_ms: clock_ms. label as in userdb_check. */
bool passcache_find(struct passcache *c, const struct passcache_login *login, int64_t now_ms, char *label);

/* Remember that the login was right, by the password of this label. Without memory nothing is remembered. */
void passcache_add(struct passcache *c, const struct passcache_login *login, int64_t now_ms, const char *label);

/* Forget all logins. */
void passcache_clear(struct passcache *c);

#endif
