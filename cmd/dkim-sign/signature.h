/* ISC licence, see LICENSE. */
#ifndef SIGNATURE_H
#define SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "keys.h"
#include "mail/header.h"
#include "record.h"

/*
 * Signatures of one message: RFC 6376, with the canonical forms relaxed/relaxed. All of them sign the same fields and
 * the same body.
 */
enum { SIGNATURE_FIELDS_MAX = 200 }; /* fields that are signed */

struct signature {
	const struct header *header;
	const struct keys *keys;
	struct buf names;   /* the value of h= */
	struct buf fields;  /* the canonical fields, as h= has them */
	struct buf body;    /* the value of bh=; empty: not computed yet */
	const char *why;    /* after SIGNATURE_UNFIT: why the message cannot be signed */
	char text[100];     /* holds why where it is not constant */
};

enum signature_result {
	SIGNATURE_OK,
	SIGNATURE_UNFIT, /* the message cannot be signed so that all verifiers agree */
	SIGNATURE_ERROR, /* errno is set */
};

/* When a signature was made, and until when it counts: seconds of the epoch. */
struct signature_time {
	long long made, expires; /* expires 0: always */
};

/* Begin with a header, which must outlive *s. Call signature_free whatever the result. */
enum signature_result signature_begin(struct signature *s, const struct keys *keys, const struct header *h);

/* Hash the body of the message in fd, which has the header. Returns 0, or -1 with errno set. */
int signature_body(struct signature *s, int fd);

/*
 * Append the field DKIM-Signature of one key, folded, its lines ended by eol, to out. The fields that s has count.
 * Returns 0, or -1 with errno set (ENOMEM; EIO: libcrypto failed).
 */
int signature_make(const struct signature *s, const struct record_item *item, const struct signature_time *t,
    const char *eol, struct buf *out);

/*
 * Does the message carry this very signature, made at any time and not yet expired at now? Only the topmost field with
 * the same domain and selector counts. Returns 1 or 0, or -1 with errno set as signature_make.
 */
int signature_is_there(const struct signature *s, const struct record_item *item, long long now);

void signature_free(struct signature *s);

#endif
