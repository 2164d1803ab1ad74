/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_HISTOGRAM_H
#define MSA_LOG_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/*
 * How often values came, in memory of one size: each value below HISTOGRAM_PARTS has a counter of its own; above, each
 * doubling has HISTOGRAM_PARTS / 2 counters, so a percentile is at most an eighth too high.
 */

enum { HISTOGRAM_PARTS = 16, HISTOGRAM_SIZE = 256 };

struct histogram {
	uint64_t n;
	int64_t sum, most;
	uint64_t count[HISTOGRAM_SIZE];
};

void histogram_add(struct histogram *h, int64_t value);

/* Returns a number that percent of all values do not exceed, or 0 if no value was added. */
int64_t histogram_percentile(const struct histogram *h, double percent);

/* The largest value of counter i; counters that no value can reach have INT64_MAX. */
int64_t histogram_limit(size_t i);

#endif
