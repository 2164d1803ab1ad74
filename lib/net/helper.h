/* ISC licence, see LICENSE. */
#ifndef MSA_NET_HELPER_H
#define MSA_NET_HELPER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * A program that does a part of a conversation for us (tlsc(8), saslc(8)), so that its libraries and secrets stay out
 * of our process. We talk to it over a socket, which is its fds 0 and 1. The connection that it works on is its fd 3.
 */
struct helper {
	pid_t pid; /* 0: none is running; HELPER_OTHERS: it is another process's child */
	int fd;    /* our end of the socket; blocking, close-on-exec */
};

enum { HELPER_OTHERS = -1 };

/*
 * In a child: become argv (searched in PATH), with end as its fds 0 and 1 and work as its fd 3. Returns if it cannot.
 */
void helper_become(char *const argv[], int end, int work);

/* Start argv (searched in PATH) with work, which stays the caller's, as its fd 3. Returns 0, or -1 with errno set. */
int helper_start(struct helper *h, char *const argv[], int work);

/*
 * Close our end and wait at most grace_ms for the helper to end; then kill it, if it is our child. Afterwards h is
 * empty. Does nothing if h is empty.
 */
void helper_stop(struct helper *h, int grace_ms);

#endif
