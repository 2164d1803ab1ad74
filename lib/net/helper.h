/* ISC licence, see LICENSE. */
#ifndef MSA_NET_HELPER_H
#define MSA_NET_HELPER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * A program that does a part of the conversation for us, so that what it links and what it knows stays with it:
 * tlsc(8), saslc(8). We talk with it over a socket, which is its fd 0 and 1; what it works on is its fd 3.
 */
struct helper {
	pid_t pid; /* 0: there is none */
	int fd;    /* ours of the two ends; blocking, close-on-exec */
};

/* Start argv (looked for in PATH) with work as its fd 3, which stays the caller's. 0, or -1 with errno. */
int helper_start(struct helper *h, char *const argv[], int work);

/*
 * Close our end and wait until it has ended, grace_ms at most; then it is killed. It is gone afterwards, and h is
 * empty. h may be empty before.
 */
void helper_stop(struct helper *h, int grace_ms);

#endif
