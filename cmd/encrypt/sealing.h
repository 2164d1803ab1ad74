/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_SEALING_H
#define MSA_ENCRYPT_SEALING_H

#include <stdbool.h>
#include <sys/types.h>

#include "job.h"
#include "mail/header.h"
#include "msa/buf.h"

/*
 * A message as PGP/MIME (RFC 3156 4): the header stays in front, its Content- fields move with the body into the
 * encrypted part.
 */
enum { SEALING_BOUNDARY_MAX = 40 };

struct sealing {
	struct buf outer, inner; /* the header in front; the fields that move */
	const char *eol;
	off_t rest, size;        /* of the file: where what follows the fields begins */
	bool is_8bit;            /* the header in front has octets over 127 */
	bool is_signed;          /* it has a DKIM-Signature, which the change breaks */
	size_t not_field;        /* SEALING_UNFIT: the number of the line */
};

enum sealing_result {
	SEALING_OK,
	SEALING_ALREADY, /* the message is encrypted */
	SEALING_UNFIT,   /* a line of the header is not a field: what follows could be the text */
	SEALING_ERROR,   /* errno is set (ENOMEM, or as file_size) */
};

/* Sort the fields of the message in fd, whose header is h. eol is that of its lines. s must be empty. */
enum sealing_result sealing_begin(struct sealing *s, const struct header *h, int fd, const char *eol);

/*
 * Encrypt the message to the keys with these fingerprints, each followed by LF, of the keyring in home. Returns a
 * descriptor as msgfile_finish, or -1 with errno set as keyring_encrypt and msgfile_add.
 */
int sealing_make(const struct sealing *s, int fd, const char *home, struct job *j, const char *fingerprints);

void sealing_free(struct sealing *s);

#endif
