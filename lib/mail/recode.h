/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_RECODE_H
#define MSA_MAIL_RECODE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A message made fit for a next hop (RFC 6409 8.4): contents that it does not take become quoted-printable or base64,
 * and everything else stays octet for octet.
 */
enum { RECODE_LINE_MAX = 998 }; /* octets of a line (RFC 5322 2.1.1) */

struct recode_hop {
	bool takes_8bit;
	bool takes_binary;   /* and so lines of any length */
	bool takes_utf8;     /* headers in UTF-8, or none is said to be there */
	bool was_binary;     /* the message was sent as BINARYMIME: look at its labels in any case */
	const char *charset; /* of text without a charset that is not UTF-8; NULL: unknown-8bit (RFC 1428) */
	bool lf;             /* lines end with LF: a file, not a message of a chain */
};

struct recode {
	size_t quoted, base64; /* contents that were encoded */
	size_t labels;         /* Content-Transfer-Encoding fields that named another domain of data */
	bool is_8bit;          /* the result has octets over 127 */
	bool has_utf8_header;  /* one of its headers has them */
	char why[120];        /* RECODE_REFUSED: what could not be changed, in ASCII, without a word of the client */
};

enum recode_result {
	RECODE_SAME,
	RECODE_CHANGED,
	RECODE_REFUSED, /* 554 5.6.3 */
	RECODE_ERROR,   /* errno is set, as by file_read and msgfile_add */
};

/*
 * Make the message in fd, a regular file, fit for hop. RECODE_CHANGED: *out is the result, as of msgfile_finish. r is
 * set whatever the result.
 */
enum recode_result recode(struct recode *r, const struct recode_hop *hop, int fd, int *out);

#endif
