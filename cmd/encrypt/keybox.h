/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_KEYBOX_H
#define MSA_ENCRYPT_KEYBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"

/* The file pubring.kbx, in which GnuPG has the keys of a keyring. Zero-initialised it is empty. */
struct keybox {
	size_t keys;      /* all of them */
	struct buf found; /* fingerprints of keys with a user id that is wanted, each followed by LF */
	size_t nfound;
};

typedef bool keybox_wanted(const void *arg, const char *uid);

/*
 * Read the keybox in fd, of this size. The checksum of each key is verified. Returns true, or false: the file is
 * damaged, or no keybox, or there is no memory. Call keybox_free whatever the result.
 */
bool keybox_read(struct keybox *k, int fd, off_t size, keybox_wanted *is_wanted, const void *arg);
void keybox_free(struct keybox *k);

#endif
