/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_TALLY_H
#define MSA_LOG_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

/*
 * Sums for each of so many names. The sums of a name in the table are exact. When the table is full, names that are not
 * in it share one entry.
 */

enum { TALLY_NAME = 160, TALLY_SUMS = 4, TALLY_SLOTS = 4096 };

struct tally_entry {
	char name[TALLY_NAME]; /* NUL-ended; a longer one is cut off */
	int64_t sum[TALLY_SUMS];
	struct histogram *times; /* owned; NULL: none */
	struct tally_entry *next; /* in its slot */
};

struct tally {
	size_t max; /* names; 0 counts as TALLY_SLOTS */
	size_t n;
	struct tally_entry *slot[TALLY_SLOTS];
	struct tally_entry others;
};

/* The entry of a name, or that of the others. Returns NULL with errno set (ENOMEM). */
struct tally_entry *tally_find(struct tally *t, const char *name, size_t n);

/* Add value to the times of an entry. Returns 0, or -1 with errno set (ENOMEM). */
int tally_time(struct tally_entry *e, int64_t value);

/* Returns a new array of the n entries, those with the largest first sum first, without the others; NULL: no memory. */
const struct tally_entry **tally_sorted(const struct tally *t);

void tally_free(struct tally *t);

#endif
