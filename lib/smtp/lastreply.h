/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_LASTREPLY_H
#define MSA_SMTP_LASTREPLY_H

#include <stdbool.h>
#include <stddef.h>

/* How the replies ended that a pump passed on; it looks into nothing else of them. Zero-initialised: none came. */
struct lastreply {
	char head[4]; /* of the line in progress */
	unsigned char head_len; /* 0: at the beginning of a line */
	char last[4]; /* the beginning of the last complete line */
};

/* These octets were passed on. */
void lastreply_note(struct lastreply *t, const char *s, size_t n);

/* The last words were 221 or 421: who said them may end. */
bool lastreply_is_goodbye(const struct lastreply *t);

/* Another reply may stand behind it. */
bool lastreply_is_complete(const struct lastreply *t);

#endif
