/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_RESENT_H
#define MSA_MAIL_RESENT_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/header.h"

/*
 * The Resent- fields of a message (RFC 5322 3.6.6) stand in blocks: one for each time the message was sent again, the
 * newest on top. The client's own block is the newest one, if it stands above all trace fields; those below belong to
 * earlier transmissions.
 *
 * Programs do not always keep a block together. So the client's block is the first run of Resent- fields with nothing
 * else between them, and with it each later run above the trace fields, as long as no name comes again. Within a run
 * the next block begins at the first name that comes again, if each of the two has a Resent-From. If not, the field is
 * one too many in the same block.
 *
 * A field that the caller removes changes nothing of that, so the block is the same where the field is gone: another
 * field does not end a run, and the name of a Resent- field does not count. A Resent- field of white space alone is not
 * part of any block.
 */
struct resent {
	size_t begin, end; /* the Resent- fields from begin to end are the client's block; end 0: there is none */
};

/* Who knows which fields are removed. */
struct resent_caller {
	/*
	 * Returns true if the caller removes the field. It is called once for each field above the trace fields that is not
	 * Resent-, in their order, and for Resent- fields in any order and more than once.
	 */
	bool (*removes)(void *arg, const struct field *f);
	void *arg;
};

/* Find the client's block in the header text[0..n). */
struct resent resent_find(const char *text, size_t n, const struct resent_caller *caller);

/* Returns true if the field is one of the block. */
bool resent_has(const struct resent *block, const struct field *f);

#endif
