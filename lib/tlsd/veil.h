/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_VEIL_H
#define MSA_TLSD_VEIL_H

#include <stdbool.h>

#include "msa/buf.h"

/*
 * The output of the next stage under TLS, without an offer of STARTTLS (RFC 3207 4.2). Our own stages make none there,
 * but a foreign server that knows nothing of our TLS may. Of the whole output only the lists that answer EHLO and LHLO
 * are looked at: replies 250 of more than one line. A line of such a reply whose keyword is STARTTLS is left out; the
 * first line is the server's name and stays. If the last line is left out, the line before it becomes the last.
 *
 * A line of a list is held back until the next line has begun, since it may have to become the last. Nothing else
 * waits. Zero-initialised it is ready; veil_free makes it so again.
 */
struct veil {
	struct buf held; /* the line that waits, and what has come of the next one */
	bool middle;     /* in the middle of a line that was looked at */
	bool dropping;   /* and that is left out */
};

/*
 * b has the next octets of the output: leave in b what the client may have now. end: the output ends with them, so
 * nothing waits. Returns 0, or -1 with errno set (ENOMEM).
 */
int veil_pass(struct veil *v, struct buf *b, bool end);

void veil_free(struct veil *v);

#endif
