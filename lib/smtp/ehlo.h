/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_EHLO_H
#define MSA_SMTP_EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "smtp/cap.h"

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
 * Add the words of s[0..len), spaces or commas between them, to those that e refuses. Returns 0, or -1: s holds
 * something that is no word of RFC 3865 2.2, or more than EHLO_WORDS_MAX octets.
 */
int ehlo_refuse(struct ehlo *e, const char *s, size_t len);

/* One of the words in list (SOLICIT='s value, commas between) is one that e refuses. In any case, whole words. */
bool ehlo_is_refused(const struct ehlo *e, const char *list, size_t len);

/* Append the whole 250 reply to EHLO or LHLO. 0, or -1 with errno ENOMEM. */
int ehlo_reply(struct buf *out, const struct ehlo *e, const char *host);

/* Append e's keywords, a line (LF) each: what MSA_EHLO takes. 0, or -1 with errno ENOMEM. */
int ehlo_keywords(struct buf *out, const struct ehlo *e);

#endif
