/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_RELAXED_H
#define MSA_MAIL_RELAXED_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/header.h"

/* The canonical form "relaxed" in which DKIM hashes a message: RFC 6376 3.4.2 (fields) and 3.4.4 (body). */

/*
 * Append a field to out: its name in lower case, the value unfolded with single spaces and none at its ends, CR LF.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int relaxed_field(struct buf *out, const char *text, const struct field *f);

enum { RELAXED_CHUNK = 4096 };

/*
 * A body that is read piece by piece. Zero-initialise it, set put, and arg and lf as needed. A CR or LF that belongs to
 * no line end counts as any other octet; with lf a line may also end with LF alone, which becomes CR LF.
 */
struct relaxed_body {
	int (*put)(void *arg, const char *p, size_t n); /* takes the canonical octets; returns 0, or -1 with errno set */
	void *arg;
	bool lf;

	/* The rest is the module's own. */
	size_t ends;       /* line ends that count only if text follows */
	bool blank;        /* white space that counts only if more of the line follows */
	bool cr;           /* a CR that may begin a line end */
	bool text;         /* there was text */
	char out[RELAXED_CHUNK];
	size_t n;
};

/* Add the next n octets, and end the body. Both return 0, or -1 with errno set by put. */
int relaxed_body_add(struct relaxed_body *b, const char *p, size_t n);
int relaxed_body_end(struct relaxed_body *b);

#endif
