/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_CREDENTIAL_H
#define MSA_AUTH_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"

/*
 * What is stored of a user's password, as text. A credential is one of
 *     SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey   RFC 5803; salt and keys in base64. So are SCRAM-SHA-1 and
 *         SCRAM-SHA-512. Verifiers of one password for several hashes have a space between
 *     SSHA256$salt$hash   SHA-256 of salt and password: only for passwords that were generated with 128 bits of
 *                         entropy, to which stretching would add nothing
 *     $...                crypt(3)
 * These functions keep nothing. The caller wipes the buffers that held a secret.
 */
enum {
	CREDENTIAL_HASH = 32,     /* octets of a hash: SHA-256 */
	CREDENTIAL_KEY_MAX = 64,  /* octets of a key of SCRAM: SHA-512 */
	CREDENTIAL_SALT = 16,     /* octets of a salt that we make */
	CREDENTIAL_SALT_MAX = 64, /* octets of a salt that we take */
	CREDENTIAL_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
	CREDENTIAL_ITERATIONS_MAX = 10000000,
};

/* A hash that SCRAM is used with. */
struct credential_hash {
	const char *mech; /* "SCRAM-SHA-256": the mechanism, and what a verifier begins with */
	const char *word; /* "sha256": what msa-passwd calls it */
	size_t size;      /* octets of a key */
	const struct evp_md_st *(*md)(void);
};

enum { CREDENTIAL_HASHES = 3 };

/* All of them. A password is compared with the verifier of the first one that the credential has. */
extern const struct credential_hash credential_hashes[CREDENTIAL_HASHES];

/* Returns the hash of the mechanism, or NULL: it is not one of SCRAM without channel binding. */
const struct credential_hash *credential_hash_of(const char *mech);

/* A SCRAM verifier (RFC 5802 3), or, between computing and comparing, what a password gives. */
struct credential_scram {
	const struct credential_hash *hash;
	unsigned iterations;
	unsigned char salt[CREDENTIAL_SALT_MAX], stored[CREDENTIAL_KEY_MAX], server[CREDENTIAL_KEY_MAX];
	size_t salt_len;
};

/* The kind of a credential, by its prefix. */
bool credential_is_scram(const char *s);
bool credential_is_random(const char *s);

/* Returns true if s is a credential of one of the kinds above. */
bool credential_is_valid(const char *s);

/*
 * Compare a password of len octets to a credential. Returns 1: it is the right one, 0: it is not, or the credential
 * cannot be read, or -1 with errno ENOMEM. Sets *worked if a slow hash was computed: crypt refuses a password that is
 * too long for it at once.
 */
int credential_fits(const char *credential, const char *password, size_t len, bool *worked);

/*
 * Parse the verifier for the hash in a credential that credential_is_scram. hash NULL: the one that passwords are
 * compared with. Returns 0, or -1: there is no such verifier, or it is damaged.
 */
int credential_scram_parse(struct credential_scram *v, const char *s, const struct credential_hash *hash);

/* Append the verifier as text. Returns 0, or -1 with errno ENOMEM. */
int credential_scram_format(struct buf *out, const struct credential_scram *v);

/*
 * Compute StoredKey and ServerKey (RFC 5802 3) from password, hash, salt and iterations. Returns 0, or -1 with errno
 * ENOMEM.
 */
int credential_scram_compute(struct credential_scram *v, const char *password, size_t len);

/* Compute the hash of SSHA256. Returns 0, or -1 with errno ENOMEM. */
int credential_random_hash(unsigned char out[CREDENTIAL_HASH], const unsigned char *salt, size_t salt_len,
    const char *password, size_t len);

/*
 * HMAC with the hash over the text that is a and then b, at most 300 octets together. out has room for hash->size.
 * Returns 0, or -1.
 */
int credential_hmac(unsigned char *out, const struct credential_hash *hash, const unsigned char *key, size_t key_len,
    const char *a, const char *b);

/*
 * Parse the number of iterations that ends with a colon at *s, and move *s after the colon. Returns the number, or 0:
 * none there, or out of bounds.
 */
unsigned credential_iterations(const char **s);

/*
 * Decode the base64 field at *s that ends with the character stop into out, and move *s after stop. Returns the number
 * of octets, or -1: not base64, empty, or more than cap octets.
 */
ssize_t credential_field(const char **s, char stop, unsigned char *out, size_t cap);

#endif
