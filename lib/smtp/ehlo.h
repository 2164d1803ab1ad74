/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_EHLO_H
#define MSA_SMTP_EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"
#include "smtp/cap.h"

enum {
	EHLO_WORDS_MAX = 492, /* octets of NO-SOLICITING's words; a line of a reply has 512 (RFC 5321 4.5.3.1.5) */
	EHLO_MAILMAX = 999999, /* RFC 9422 4.1: six digits */
};

/* The keywords of an EHLO reply and their parameters: our own offer, or that of a next hop. */
struct ehlo {
	uint32_t caps;     /* CAP_* */
	long long size;    /* of SIZE; 0: no fixed limit */
	int mailmax;       /* our own offer only: messages in a session; 0: no limit */
	bool pass_solicit; /* our own offer only: the next hop takes SOLICIT= too */
	char auth[256];    /* the mechanisms of AUTH, single spaces between; "" for none */
	char deliverby[24], mt_priority[32], limits[64], futurerelease[64]; /* parameters; "" for none */
	char no_soliciting[EHLO_WORDS_MAX + 1]; /* words, commas between; "" for none */
};

/*
 * Take the keyword and parameters of a line of an EHLO reply, without its code, into e. Unknown keywords are skipped.
 * Old servers write "AUTH=PLAIN LOGIN", which counts where "AUTH PLAIN LOGIN" has not come before; the latter replaces
 * the former.
 */
void ehlo_take(struct ehlo *e, const char *text, size_t len);

/* Take several such lines, LF or comma between, as in MSA_EHLO. */
void ehlo_take_list(struct ehlo *e, const char *s);

/*
 * Returns true if s is such a list. It is none if a keyword that takes no parameter has one, or if a keyword stands
 * where a parameter should: then something else is between them.
 */
bool ehlo_list_is_valid(const char *s);

/*
 * Add the words of s[0..len), spaces or commas between, to those that e refuses. Returns 0, or -1: a word is invalid
 * (RFC 3865 2.2), or there are more than EHLO_WORDS_MAX octets.
 */
int ehlo_refuse(struct ehlo *e, const char *s, size_t len);

/* Returns true if e refuses a word of list (the value of SOLICIT=, commas between). Whole words count, in any case. */
bool ehlo_is_refused(const struct ehlo *e, const char *list, size_t len);

/* Append the whole 250 reply to EHLO or LHLO. Returns 0, or -1 with errno set (ENOMEM). */
int ehlo_reply(struct buf *out, const struct ehlo *e, const char *host);

/* Append e's keywords in the form of MSA_EHLO, each followed by LF. Returns 0, or -1 with errno set (ENOMEM). */
int ehlo_keywords(struct buf *out, const struct ehlo *e);

#endif
