/* ISC licence, see LICENSE. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "spool/spoollist.h"

/* What an administrator sees of a message of a spool. */
enum state {
	STATE_NEW,       /* the runner has not seen it yet */
	STATE_WAITING,
	STATE_REFUSED,   /* a report that was refused for good */
	STATE_HELD,
	STATE_RETURNING, /* its sender is about to get it back */
	STATE_DAMAGED,
	STATES
};

extern const char *const state_name[STATES];

/* A loaded message. If it is damaged, m is empty. */
struct message {
	struct spoollist_item item;
	enum state state;
	bool hastened;    /* an attempt was asked for */
	const char *why;  /* what is damaged; a constant */
	struct spoolrec m; /* owned */
	off_t size;
};

/* Load the message i of a spool. Returns 0, or -1: somebody has removed it; then m is empty. */
int message_load(struct message *m, const struct spool *s, const struct spoollist_item *i);

/* Which messages are meant: those that fulfil all that is set. A pattern is that of fnmatch(3), whatever the case. */
struct filter {
	const char *answer; /* a pattern for the last reply of a recipient that waits */
	const char *from;   /* ... for the sender's address */
	const char *rcpt;   /* ... for the address of a recipient that waits */
	const char *user;   /* ... for the authenticated user */
	enum state state;   /* STATES: any */
	long long older_s;  /* so old at least */
};

bool message_matches(const struct message *m, const struct filter *f, time_t now);

/* Print the line of a message on fd 1, with word in the place of its state. Foreign text is made harmless. */
void message_print(const struct message *m, const char *word, time_t now);

/* Print a line for each recipient on fd 1. */
void message_print_rcpts(const struct message *m);

#endif
