/* ISC licence, see LICENSE. */
#ifndef EHLO_H
#define EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "facts.h"

/* The EHLO keywords, as bits: what we may offer, and what a next hop offers. */
enum ehlo_cap {
	CAP_PIPELINING = 1 << 0,      /* RFC 2920 */
	CAP_ENHANCEDSTATUSCODES = 1 << 1, /* RFC 2034 */
	CAP_SIZE = 1 << 2,            /* RFC 1870 */
	CAP_8BITMIME = 1 << 3,        /* RFC 6152 */
	CAP_CHUNKING = 1 << 4,        /* RFC 3030 */
	CAP_BINARYMIME = 1 << 5,      /* RFC 3030 */
	CAP_DSN = 1 << 6,             /* RFC 3461 */
	CAP_SMTPUTF8 = 1 << 7,        /* RFC 6531 */
	CAP_DELIVERBY = 1 << 8,       /* RFC 2852 */
	CAP_MT_PRIORITY = 1 << 9,     /* RFC 6710 */
	CAP_REQUIRETLS = 1 << 10,     /* RFC 8689 */
	CAP_LIMITS = 1 << 11,         /* RFC 9422 */
	CAP_NO_SOLICITING = 1 << 12,  /* RFC 3865 */
	CAP_FUTURERELEASE = 1 << 13,  /* RFC 4865 */
	CAP_MTRK = 1 << 14,           /* RFC 3885 */
	CAP_AUTH = 1 << 15,           /* RFC 4954 */
	CAP_STARTTLS = 1 << 16,       /* RFC 3207 */
	CAP_PRDR = 1 << 17,           /* draft-hall-prdr */
};

enum {
	EHLO_WORDS_MAX = 492, /* octets of NO-SOLICITING's words: a reply's line has 512 (RFC 5321 4.5.3.1.5) */
	EHLO_MAILMAX = 999999, /* RFC 9422 4.1: six digits */
};

struct ehlo {
	uint32_t caps;     /* CAP_* */
	long long size;    /* SIZE's value; 0: no fixed limit */
	int mailmax;       /* what we offer: messages of a session; 0: no limit */
	bool pass_solicit; /* what we offer: the next hop takes SOLICIT= too */
	char auth[256];    /* AUTH's mechanisms, single spaces between; "" for none */
	char deliverby[24], mt_priority[32], limits[64], futurerelease[64]; /* their parameters, "" for none */
	char no_soliciting[EHLO_WORDS_MAX + 1]; /* words, commas between them; "" for none */
};

/* One EHLO line's text, without code: take its keyword and parameters into e; unknown ones are passed over. */
void ehlo_take(struct ehlo *e, const char *text, size_t len);

/* The same of several, LF or comma between them, as MSA_EHLO has them. */
void ehlo_take_list(struct ehlo *e, const char *s);

/*
 * What the chain offers: the keywords that need no next hop, DATABYTES for SIZE, MSA_MAILMAX for LIMITS, MSA_SOLICIT
 * for NO-SOLICITING, and MSA_EHLO (EHLO lines, LF or comma between them) for those that need a next hop. Without any
 * of them: PIPELINING, ENHANCEDSTATUSCODES, SIZE, PRDR (not for LMTP, which has what it adds), LIMITS, 8BITMIME,
 * CHUNKING. An MSA_EHLO that begins with "=" is the whole list. NULL; or the name of a variable that does not say what
 * it must: a limit that cannot be read is not the same as none, so nothing can be served.
 */
const char *ehlo_from_facts(struct ehlo *e, const struct facts *f);

/* One of the words in list (SOLICIT='s value, commas between) is one that e refuses. In any case, whole words. */
bool ehlo_is_refused(const struct ehlo *e, const char *list, size_t len);

/* Our name in greeting, EHLO reply and Received: MSA_HOST, else the system's. Borrowed from f, or copied to buf. */
const char *ehlo_host(const struct facts *f, char *buf, size_t cap);

/* Append the whole 250 reply to EHLO or LHLO. 0, or -1 with errno ENOMEM. */
int ehlo_reply(struct buf *out, const struct ehlo *e, const char *host);

/* Append e's keywords, a line (LF) each: what MSA_EHLO takes. 0, or -1 with errno ENOMEM. */
int ehlo_keywords(struct buf *out, const struct ehlo *e);

#endif
