/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_DOWNGRADE_H
#define MSA_MAIL_DOWNGRADE_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/*
 * A header that mail without SMTPUTF8 can carry (RFC 6409 6.5): octets over 127 in texts and in display names become
 * encoded words (RFC 2047), those in parameters of MIME get the form of RFC 2231, and lines over 998 octets are folded.
 * Everything else stays octet for octet.
 */
enum {
	DOWNGRADE_LINE_MAX = 998, /* octets of a line (RFC 5322 2.1.1) */
	DOWNGRADE_WORD_LINE = 76, /* octets of a line with encoded words (RFC 2047 2) */
};

struct downgrade {
	/* What is wanted. */
	bool keeps_utf8;     /* octets over 127 stay: the message has SMTPUTF8 */
	const char *charset; /* of text that is not UTF-8; NULL: none, and such text is refused */
	const char *eol;

	/* What came of it. */
	struct buf text;   /* DOWNGRADE_CHANGED: the header */
	struct buf fields; /* the names of fields that changed, commas between, for the log; at most 260 octets */
	struct buf why;    /* a refusal: its text, in ASCII, without a word of the client but the field's name */
};

enum downgrade_result {
	DOWNGRADE_SAME,
	DOWNGRADE_CHANGED,
	DOWNGRADE_REFUSED, /* 554 5.6.0 */
	DOWNGRADE_ADDRESS, /* 554 5.6.7: an address has an octet over 127 */
	DOWNGRADE_ERROR,   /* errno is set (ENOMEM) */
};

/* Downgrade the header text[0..n). Call downgrade_free whatever the result. */
enum downgrade_result downgrade(struct downgrade *d, const char *text, size_t n);

/* Returns true if one of n octets is over 127. */
bool downgrade_has_8bit(const char *p, size_t n);

void downgrade_free(struct downgrade *d);

#endif
