/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_PARTS_H
#define MSA_ENCRYPT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"
#include "recipients.h"
#include "stage/run.h"

/* The recipients who get the same copy of the message: a part of the envelope, and later a message chain of its own. */
struct part {
	size_t *line;      /* owned; n indices into the envelope: of recipients, or of copies if only_copies */
	size_t n;
	bool is_sealed;    /* the copy is encrypted to the keys of these recipients */
	bool only_copies;
	struct buf copies; /* the COPY lines that go with the recipients */
	int message, envelope; /* -1: none yet; message: or the one that came */
	struct run run;
};

struct parts {
	struct part *v; /* owned */
	size_t n;
};

/*
 * Group the recipients. Those whom the header names share a copy, and so do those without a key. Everybody else has a
 * copy of their own: an encrypted copy names the keys of all recipients who can read it.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int parts_open(struct parts *p, const struct recipients *r, const struct envelope *e);

/* Append the fingerprints of the keys of a part, each followed by LF. Returns 0, or -1 with errno set (ENOMEM). */
int parts_fingerprints(const struct part *p, const struct recipients *r, struct buf *out);

/*
 * Write the envelope of a part. is_whole: it has a line for each recipient, also for those that are refused.
 * keeps_8bit: the header of an encrypted copy needs 8BITMIME. Returns a descriptor, or -1 with errno set.
 */
int parts_envelope(const struct part *p, const struct recipients *r, const struct envelope *e, bool is_whole,
    bool keeps_8bit);

void parts_free(struct parts *p);

#endif
