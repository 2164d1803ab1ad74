/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_STORY_H
#define MSA_LOG_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/logline.h"
#include "msa/buf.h"

/*
 * A story is what the log says about a session and its messages, or about a message without a session. Only so many are
 * open at a time: when there is one too many, the one that has waited longest for a line ends.
 */

enum {
	STORY_OPEN = 20000,           /* stories */
	STORY_LINES = 4000,           /* of one story; what comes after them is counted */
	STORY_OCTETS = 64 * 1048576,  /* of all lines that are kept */
	STORY_SLOTS = 32768,          /* of the hash table; a power of two */
};

struct story {
	char key[LOGLINE_ID + 2]; /* the session, or "/" and the message */
	struct buf text;          /* the lines, story_line reads them */
	size_t lines, left_out;
	bool wanted;              /* it stays until the end */
	bool hit;                 /* a line of it is what is looked for; the caller's, as what follows */
	char only[LOGLINE_ID + 1]; /* the message that is looked for; "": all */
	size_t told;              /* octets of text that were shown */
	struct story *next;       /* in its slot, or among the free ones */
	struct story *older, *newer;
};

struct stories {
	void (*end)(struct story *s, void *ctx); /* called before a story is forgotten */
	void *ctx;
	struct story *slot[STORY_SLOTS];
	struct story *oldest, *newest;
	struct story *spare;
	size_t n, wanted, octets;
};

/* Put a line into its story, which may be a new one. Returns the story, or NULL with errno set (0: it has none). */
struct story *stories_add(struct stories *all, const struct logline *l);

/* End all stories, the oldest first, and free what there is. */
void stories_end(struct stories *all);

/* Read the line at *at, and advance *at. Returns false if there is none. */
bool story_line(const struct story *s, size_t *at, struct logline *l);

#endif
