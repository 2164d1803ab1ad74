/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_KEYRING_H
#define MSA_ENCRYPT_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "job.h"
#include "smtp/addr.h"

/*
 * The site's keyring: a home directory of GnuPG. It is used by gpgme, which starts gpg, in a child (job.h). gpg trusts
 * each key in it, asks no other host, and needs no agent for public keys.
 */
enum {
	KEYRING_ADDRESS_MAX = ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX,
	KEYRING_FINGERPRINT_MAX = 64, /* hexadecimal digits: 40 of version 4, 64 of version 5 */
};

enum keyring_found {
	KEYRING_NONE,
	KEYRING_ONE,
	KEYRING_SEVERAL,  /* nobody can say which one is meant */
	KEYRING_UNUSABLE, /* there is a key, but none that can be used: it must not be as if there were none */
};

struct keyring_key {
	char address[KEYRING_ADDRESS_MAX + 1]; /* whose key is wanted, as keyring_address writes it */
	enum keyring_found found;
	char fingerprint[KEYRING_FINGERPRINT_MAX + 1]; /* KEYRING_ONE */
};

/* Write a mailbox in the form in which mailboxes are compared: the domain in A-labels and lower case. */
void keyring_address(char out[KEYRING_ADDRESS_MAX + 1], const struct addr *a);

/*
 * Returns why the directory home cannot be used, valid until the next call of strerror(3), or NULL with *keys set to the
 * number of keys. The checksum of each key is verified.
 */
const char *keyring_bad(const char *home, size_t *keys);

/*
 * Find the keys of n addresses: a key is valid, neither expired, revoked nor disabled, can encrypt, and has the address
 * in a valid user id. Another key of the address, or of one that differs in upper and lower case alone, is unusable.
 * keys is as keyring_bad sets it. Returns 0, or -1 with errno set as job_run (EPROTO: also if gpg has not read the whole
 * keyring).
 */
int keyring_find(const char *home, size_t keys, struct job *j, struct keyring_key *key, size_t n);

/* What is encrypted: some octets in memory, and then a file from an offset on. */
struct keyring_text {
	const char *head;
	size_t head_len;
	int fd;
	off_t from, size; /* size: of the file */
	bool lf;          /* lines that end with LF get CR LF */
};

/*
 * Encrypt a text to the keys with these fingerprints, each followed by LF, and give take the result in ASCII armor,
 * whose lines end with LF. Returns 0, or -1 with errno set as job_run (EPROTO: also if the result is not complete).
 */
int keyring_encrypt(const char *home, struct job *j, const char *fingerprints, const struct keyring_text *text,
    job_take *take, void *to);

#endif
