/* ISC licence, see LICENSE. */
#ifndef SHARED_H
#define SHARED_H

#include "ask/contact.h"
#include "counts.h"
#include "msa/buf.h"

/*
 * Counts that several machines share: those of counts.h, kept by a server of Redis. A script of ours changes them
 * there: no other script runs meanwhile, and the server's clock counts, not that of a machine.
 */
enum { SHARED_WAIT_S = 5 };

struct shared {
	struct contact server;
	struct buf login; /* the words of AUTH, each with a NUL: a user, if the file has one, and a password */
	int wait_s;
};

/* What begins the place of counts that are shared: "redis:". The server's address follows. */
extern const char shared_prefix[];

/*
 * Read the file that holds a password, or a user and a password, each on a line of its own. Returns 0, or -1 with *why
 * set, and the old ones stay.
 */
int shared_login(struct shared *s, const char *path, const char **why);

struct shared_answer {
	struct counts_state state; /* before k is added */
	int64_t now_ms;            /* the time of state, by the server's clock */
	const struct rate *which;  /* as counts_add sets these two */
	int64_t wait_s;
	char why[STARTER_WHY];     /* if the result is COUNTS_ERROR: the reason; the rest is not set then */
};

/* Count k recipients for who if add is set, or else only ask. Returns as counts_add, with the answer in a. */
enum counts_result shared_count(const struct shared *s, int64_t deadline_ms, const char *who, bool is_peer,
    const struct rates *r, int64_t k, bool add, struct shared_answer *a);

void shared_free(struct shared *s);

#endif
