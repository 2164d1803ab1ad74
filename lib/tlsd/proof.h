/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_PROOF_H
#define MSA_TLSD_PROOF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a client has proved that it may send mail: the next stage has answered 235, or 250 to MAIL. The pump shows
 * what passes in both directions until then.
 *
 * Each line of the client's has one reply, also in an AUTH exchange, so the reply to MAIL is found by counting. The
 * octets of a chunk (BDAT) are not lines: after a BDAT only 235 is a proof. A 220 answers no line.
 *
 * Zero-initialised: nothing has passed.
 */
struct proof_head {
	unsigned char len;
	char text[5]; /* the start of the current line: enough for a verb, and what ends it */
};

struct proof {
	unsigned owed;   /* lines that have no reply yet */
	unsigned before; /* replies that come before the one to MAIL */
	bool mail;       /* a MAIL has no reply yet */
	bool chunk;      /* a BDAT has passed */
	bool given;
	struct proof_head up, down;
};

/* Take note of octets that were passed on: from the client, and from the next stage. */
void proof_up(struct proof *p, const char *s, size_t n);
void proof_down(struct proof *p, const char *s, size_t n);

#endif
