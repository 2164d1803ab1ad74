/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_EDITS_H
#define MSA_MAIL_EDITS_H

#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"
#include "msa/msgfile.h"

/*
 * Changes to a text, collected while the text is examined and applied when it is written. What no edit covers stays
 * octet for octet. Zero-initialised it is empty.
 */
struct edit {
	size_t off;       /* in the original text */
	size_t del;       /* octets to remove there */
	size_t text, len; /* their replacement: offset and length in edits.text */
};

struct edits {
	struct edit *v;   /* owned */
	size_t n, cap;
	struct buf text;  /* all replacements */
};

/*
 * Replace del octets at off by the len octets at text. Call in the order of ascending offsets; an edit must not begin
 * inside the octets that an earlier edit removes. Edits at the same offset are applied in the order of the calls.
 * Returns 0, or -1 with errno set (ENOMEM; EINVAL: out of order).
 */
int edits_add(struct edits *e, size_t off, size_t del, const char *text, size_t len);

/* Append text[0..n), edited, to m. Returns 0, or -1 with errno set as msgfile_add. */
int edits_write(const struct edits *e, const char *text, size_t n, struct msgfile *m);

/*
 * Make a message of text[0..n), edited, and the rest of the one in fd, a regular file, from offset rest on.
 * Returns a descriptor as msgfile_finish, or -1 with errno set.
 */
int edits_file(const struct edits *e, const char *text, size_t n, int fd, off_t rest);

void edits_free(struct edits *e);

#endif
