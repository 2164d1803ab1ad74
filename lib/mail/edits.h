/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_EDITS_H
#define MSA_MAIL_EDITS_H

#include <stddef.h>

#include "base/buf.h"
#include "mail/msgfile.h"

/*
 * Changes to a text, collected while it is looked at and applied while it is written: what no edit names stays octet
 * for octet. Zero-initialised it is empty.
 */
struct edit {
	size_t off;       /* where, in the text as it was */
	size_t del;       /* octets taken out there */
	size_t text, len; /* what is put in their place: offsets into edits.text */
};

struct edits {
	struct edit *v; /* owned */
	size_t n, cap;
	struct buf text;
};

/*
 * Offsets ascend, and no edit begins inside of what an earlier one takes out; at the same offset the order is that
 * of the calls. 0, or -1 with errno (ENOMEM; EINVAL: out of order).
 */
int edits_add(struct edits *e, size_t off, size_t del, const char *text, size_t len);

/* Append text[0..n), edited, to m. 0, or -1 with errno (as msgfile_add). */
int edits_write(const struct edits *e, const char *text, size_t n, struct msgfile *m);

void edits_free(struct edits *e);

#endif
