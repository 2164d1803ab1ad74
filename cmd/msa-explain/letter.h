/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_LETTER_H
#define MSA_EXPLAIN_LETTER_H

#include <stddef.h>

/* The message of an explanation. */
struct letter {
	const char *sender; /* "": the null reverse-path */
	const char **rcpt;  /* owned array of n borrowed addresses */
	size_t n;
	const char *user;   /* NULL: nobody has authenticated */
	const char *file;   /* NULL: a small message is made */
};

/*
 * Make the message and the envelope. The descriptors are the caller's.
 * Returns 0, or -1 with errno set (EINVAL: *bad is not an address) and *bad, what is wrong.
 */
int letter_open(const struct letter *l, int *message, int *envelope, const char **bad);

#endif
