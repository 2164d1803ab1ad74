/* ISC licence, see LICENSE. */
#ifndef TAIL_H
#define TAIL_H

#include <stdbool.h>
#include <stddef.h>

/* How the replies ended that a pump passed on; it looks into nothing else of them. Zero-initialised: none came. */
struct tail {
	char head[4]; /* of the line in progress */
	unsigned char head_len; /* 0: at the beginning of a line */
	char last[4]; /* the beginning of the last complete line */
};

/* These octets were passed on. */
void tail_note(struct tail *t, const char *s, size_t n);

/* The last words were 221 or 421: who said them may end. */
bool tail_is_goodbye(const struct tail *t);

/* Another reply may stand behind it. */
bool tail_is_complete(const struct tail *t);

#endif
