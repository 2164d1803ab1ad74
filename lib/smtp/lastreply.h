/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_LASTREPLY_H
#define MSA_SMTP_LASTREPLY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The last reply in a stream of replies that a pump passes on: whether it is complete, and whether it ends the session.
 * Zero-initialised: no reply has come.
 */
struct lastreply {
	char head[4]; /* the start of the current line */
	unsigned char head_len; /* 0: at the start of a line */
	char last[4]; /* the start of the last complete line */
};

/* Take note of n octets that were passed on. */
void lastreply_note(struct lastreply *t, const char *s, size_t n);

/* Returns true if the last reply was 221 or 421, after which the server may close. */
bool lastreply_is_goodbye(const struct lastreply *t);

/* Returns true if the last reply is complete, so that another one may follow. */
bool lastreply_is_complete(const struct lastreply *t);

#endif
