/* ISC licence, see LICENSE. */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "msa/buf.h"

/* Private keys, each read once from a file of its own: RSA (RFC 8301) and Ed25519 (RFC 8463). */
enum {
	KEY_BITS_MIN = 1024,    /* RFC 8301 3.2: what verifiers must know, in bits of RSA */
	KEY_BITS_SHOULD = 2048,
	KEY_BITS_MAX = 4096,
	KEY_DIGEST = 32,        /* octets of SHA-256 */
};

struct key {
	char *path;      /* owned */
	EVP_PKEY *pkey;  /* owned */
	bool is_rsa;     /* otherwise Ed25519 */
};

struct keys {
	struct key *v;   /* owned */
	size_t n, cap;
	EVP_MD *sha256;  /* owned */
};

/*
 * Read the key in the file path[0..n), unless it is there already. Returns NULL, or why the key cannot be used, valid
 * until the next call of strerror(3).
 */
const char *keys_add(struct keys *k, const char *path, size_t n);

/* Returns the key of the file path[0..n), or NULL. */
const struct key *keys_find(const struct keys *k, const char *path, size_t n);

void keys_free(struct keys *k);

/* The algorithm as the tag a= has it. */
const char *key_algorithm(const struct key *key);

int key_bits(const struct key *key);

/* Append the signature of a digest in base64. Returns 0, or -1 with errno set (ENOMEM; EIO: libcrypto failed). */
int key_sign(const struct keys *k, const struct key *key, const unsigned char digest[KEY_DIGEST], struct buf *out);

/* Append the TXT record for the DNS (RFC 6376 3.6.1). Returns as key_sign. */
int key_record(const struct key *key, struct buf *out);

#endif
