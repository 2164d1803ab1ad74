/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_COUNTERS_H
#define MSA_LOG_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/logline.h"
#include "msa/buf.h"

/* Counters for Prometheus: families of series, each with its labels. They only grow. */

enum {
	COUNTERS_MAX = 4000,    /* series; what would be one more is counted in msa_log_series_left_out_total */
	COUNTERS_LABELS = 256,  /* octets of a series' labels, with the NUL */
	COUNTERS_SLOTS = 4096,
	COUNTERS_BUCKETS = 12,  /* of a family of times, without the one for all */
};

struct counter {
	int family;
	char labels[COUNTERS_LABELS]; /* stage="submitd",event="accepted" */
	uint64_t value; /* of a family of times, how many */
	int64_t sum_ms;
	uint64_t bucket[COUNTERS_BUCKETS];
	struct counter *next; /* in its slot */
};

struct counters {
	struct counter *slot[COUNTERS_SLOTS];
	size_t n;
	uint64_t left_out;
};

/* Count a line, or so many that are not ours. Returns 0, or -1 with errno set (ENOMEM). */
int counters_add(struct counters *c, const struct logline *l);
int counters_add_others(struct counters *c, uint64_t lines);

/* Count a log whose lines were lost before they were read. */
int counters_add_gap(struct counters *c);

/* Append the counters as Prometheus reads them, or as lines for counters_take. Returns 0, or -1 with errno set. */
int counters_print(const struct counters *c, struct buf *b);
int counters_save(const struct counters *c, struct buf *b);

/* Take a line of counters_save, without its LF. Returns 0, or -1 with errno set (EINVAL, ENOMEM). */
int counters_take(struct counters *c, const char *line);

void counters_free(struct counters *c);

#endif
