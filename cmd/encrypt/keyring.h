/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_KEYRING_H
#define MSA_ENCRYPT_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "job.h"
#include "keybox.h"
#include "msa/buf.h"
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
 * Read the keyring in the directory home, for n addresses.
 * Returns NULL with k set, or why the directory cannot be used, valid until the next call of strerror(3). Call
 * keybox_free whatever the result.
 */
const char *keyring_open(struct keybox *k, const char *home, const struct keyring_key *key, size_t n);

/*
 * Find the keys of the same addresses: a key is valid, neither expired, revoked nor disabled, can encrypt, and has the
 * address in a valid user id. Another key of the address, or of one that differs in upper and lower case alone, is
 * unusable. Returns 0, or -1 with errno set as job_run (EPROTO: also if gpg has not listed all keys that were found).
 */
int keyring_find(const struct keybox *k, const char *home, struct job *j, struct keyring_key *key, size_t n);

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
