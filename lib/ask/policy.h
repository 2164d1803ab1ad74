/* ISC licence, see LICENSE. */
#ifndef MSA_ASK_POLICY_H
#define MSA_ASK_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "chain/facts.h"
#include "msa/buf.h"
#include "msa/envelope.h"
#include "smtp/reply.h"

/*
 * The protocol of Postfix's policy servers (SMTPD_POLICY_README), on the client's side, as text: a request and an
 * answer are lines "name=value" ended by LF, and an empty line. policy(8) has the conversation.
 */
enum {
	POLICY_ANSWER_MAX = 65536, /* octets of an answer */
	POLICY_LINES_MAX = 100,    /* lines of an answer */
	POLICY_LINE_MAX = 8192,    /* octets of a line, without its LF */
	POLICY_FIELD_MAX = 998,    /* octets of a line of a header, RFC 5322 2.1.1 */
	POLICY_SHOWN = 200,        /* octets of an action that the log shows */
};

/* What is asked about. All members are borrowed. */
struct policy_question {
	const char *state;   /* RCPT, DATA or END-OF-MESSAGE */
	const char *context; /* policy_context; "": none */
	const struct facts *facts;
	const struct envelope *envelope;
	const struct envelope_line *rcpt; /* the recipient in question; NULL: the message as a whole */
	long long size;      /* octets of the message */
};

/* Append the request. Returns 0, or -1 with errno set (ENOMEM). */
int policy_request(struct buf *out, const struct policy_question *q);

/* Find a whole answer at the start of p. Returns its length; 0: not complete yet; -1: over a limit, or has a NUL. */
ssize_t policy_whole(const char *p, size_t n);

enum policy_result {
	POLICY_PASS,        /* OK, DUNNO, WARN and INFO */
	POLICY_REFUSE,      /* reply is what the client hears */
	POLICY_PREPEND,     /* text is a header field to put on top of the message, without a line end */
	POLICY_SOFTEN,      /* DEFER_IF_REJECT: what a later stage refuses for good, it refuses for now; reply says so */
	POLICY_UNSUPPORTED, /* an action that cannot be done here */
	POLICY_GARBAGE,     /* not an answer; why says what is wrong */
};

/* An answer. Zero-initialised it is empty; policy_free comes last. */
struct policy_answer {
	char action[POLICY_SHOWN + 1]; /* for the log: printable ASCII, cut off */
	struct reply_foreign reply;
	struct buf text;
	const char *why; /* a constant */
};

/* Parse a whole answer, n octets at p. Returns what it is; POLICY_GARBAGE with why NULL and errno set: ENOMEM. */
enum policy_result policy_parse(struct policy_answer *a, const char *p, size_t n);
void policy_free(struct policy_answer *a);

#endif
