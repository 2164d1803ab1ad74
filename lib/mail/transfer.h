/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_TRANSFER_H
#define MSA_MAIL_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/* The content transfer encodings of RFC 2045 6.7 and 6.8, piece by piece. A line has at most 76 octets. */
enum transfer_encoding { TRANSFER_QUOTED, TRANSFER_BASE64 };

enum { TRANSFER_GROUP = 57 }; /* octets of a line of base64 */

struct transfer {
	enum transfer_encoding encoding;
	bool lf;       /* lines end with LF, in the text and in what is written; otherwise with CR LF */
	bool is_text;  /* base64 where lines end with LF: a line end is encoded as CR LF (RFC 2045 6.8) */
	size_t column; /* of the line that is being written */
	size_t held;   /* octets that wait for what follows them */
	char hold[TRANSFER_GROUP];
};

/* Append n octets to out, encoded. Returns 0, or -1 with errno set (ENOMEM). */
int transfer_add(struct transfer *t, struct buf *out, const char *p, size_t n);

/*
 * Append what is left. With ends, the last line gets a line end that is not part of the content, unless it has one.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int transfer_end(struct transfer *t, struct buf *out, bool ends);

#endif
