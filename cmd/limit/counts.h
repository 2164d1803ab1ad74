/* ISC licence, see LICENSE. */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"

/*
 * How many recipients a user or a peer has sent to recently. A rate is "n recipients in so many seconds". Its count
 * decreases evenly, by n/seconds each second. So no rate starts anew at a fixed hour, and at most n recipients can be
 * reached at once.
 *
 * Each user and each peer has a file below a directory, with one line per rate: "seconds count time", the count in
 * thousandths of a recipient, the time in milliseconds since 1970. The file is locked while it is read and written, so
 * that two messages never count as one. Lines of other rates stay until their count is 0: the user may have had other
 * rates earlier, or may have others on another port.
 */
enum {
	RATES_MAX = 8,
	RATE_N_MAX = 1000000,         /* recipients */
	RATE_SECONDS_MAX = 31536000,  /* a year */
	COUNTS_MAX = 16,              /* lines of a file */
	COUNTS_WAIT_MS = 5000,        /* for the lock of the file */
};

struct rate {
	int64_t n, seconds;
};

struct rates {
	struct rate rate[RATES_MAX];
	size_t n;
};

/*
 * Parse the len octets at s, "n/seconds", and add that rate.
 * Returns 0, or -1: s is invalid, r is full, or r has a rate with the same seconds; errno is not set.
 */
int rates_add(struct rates *r, const char *s, size_t len);

/* Parse the rates of a list, a record of the table. Returns NULL, or the first invalid item, of *len octets. */
const char *rates_read(struct rates *r, const char *list, size_t n, size_t *len);

/* The two members of struct usertable for this table: bad and what. */
const char *rates_bad(const char *list, size_t n, size_t *len);
#define RATES_ITEM "not a valid rate (recipients/seconds), a second rate for the same seconds, or more than 8 rates"

/* Returns the first rate that k recipients alone exceed, or NULL. */
const struct rate *rates_too_small(const struct rates *r, int64_t k);

enum counts_result {
	COUNTS_OK,    /* within every rate, and counted */
	COUNTS_OVER,  /* over the rate *which for *wait_s more seconds; nothing was counted */
	COUNTS_NEVER, /* k alone is over the rate *which; nothing was counted */
	COUNTS_ERROR, /* errno is set (ETIMEDOUT: the lock) */
};

/*
 * Count k recipients for who, a user or a peer (any text), at now_ms, milliseconds since 1970. directory is an open
 * descriptor. *which and *wait_s are set only for the results that mention them.
 */
enum counts_result counts_add(int directory, const char *who, bool is_peer, const struct rates *r, int64_t k,
    int64_t now_ms, const struct rate **which, int64_t *wait_s);

/* What counts_ask has read of a file. */
struct counts_state {
	struct counts_line {
		int64_t seconds, had, since_ms; /* had: thousandths of a recipient at since_ms */
	} line[COUNTS_MAX]; /* the first of them are those of the rates, in their order, at now_ms; then the other lines */
	size_t n;
};

/*
 * As counts_add, but count nothing: k recipients would be counted, or why not. s gets what the file has; a missing file
 * has nothing.
 */
enum counts_result counts_ask(int directory, const char *who, bool is_peer, const struct rates *r, int64_t k,
    int64_t now_ms, struct counts_state *s, const struct rate **which, int64_t *wait_s);

/*
 * Append the file name for who. Letters become lower case, so that a name in capitals has the same file. Digits and
 * "@+-_." stay, except a dot at the start; every other octet becomes %XX. A peer's name begins with "=". A name that
 * would be too long is cut and ends with a hash of the whole.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int counts_name(struct buf *b, const char *who, bool is_peer);

/* Append whose file has this name. Returns 0, 1 if the name was cut off, or -1 with errno set (ENOMEM). */
int counts_who(struct buf *b, const char *name);

#endif
