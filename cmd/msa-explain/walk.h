/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_WALK_H
#define MSA_EXPLAIN_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "stage/call.h"

/* A walk through a chain: each stage is explained, and nothing is delivered or counted. */
struct walk {
	const char *directory; /* private, for sockets */
	bool run_last;         /* -x: a last program that may deliver is run, too */
	bool at_rcpt;          /* the chain is the check at RCPT, which delivers nothing: all programs are run */
	int64_t deadline_ms;
	const char *hidden;    /* the last program that decides and was not run; NULL: none */
	int stages;            /* explained so far */
	void **kept;           /* owned; words that live as long as the walk */
	size_t nkept;
};

/* Keep p, which was allocated, as long as the walk lasts. Returns it, or NULL: p was NULL, or there is no memory. */
void *walk_keep(struct walk *w, void *p);
void walk_free(struct walk *w);

/* The replies to the recipients of a message, and which stage has given each. */
struct answers {
	struct verdict verdict;
	const char **by; /* owned array of borrowed names */
};

/* Make room for n answers, each given by nobody. Returns 0, or -1 with errno set (ENOMEM). */
int answers_open(struct answers *a, size_t n);
void answers_free(struct answers *a);

/*
 * Walk through the chain whose words are argv with the message of call, at this depth. *a is open, with a reply for
 * each recipient afterwards. Where an earlier stage has refused a recipient, a->by says which one.
 * Returns 0, or -1 with errno set and *why, a constant text.
 */
int walk_chain(struct walk *w, int depth, char **argv, struct call *call, struct answers *a, const char **why);

#endif
