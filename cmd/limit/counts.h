/* ISC licence, see LICENSE. */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * How much somebody has sent of late, in a file of his own below a directory, for each of his rates. What was counted
 * fades evenly: of n recipients in so many seconds, n/seconds each second. So a rate has no hour at which all begin
 * anew, and what is sent at once is n at most.
 *
 * The file: a line for each rate, "seconds count time", in thousandths of a recipient and milliseconds since 1970. It
 * is locked while it is read and written, so that no two messages count as one. Lines of other rates stay until they
 * have faded: the user's rates may have been others then, or be others on another port.
 */
enum {
	RATES_MAX = 8,
	RATE_N_MAX = 1000000,         /* recipients */
	RATE_SECONDS_MAX = 31536000,  /* a year */
	COUNTS_WAIT_MS = 5000,        /* for another that has the file */
};

struct rate {
	int64_t n, seconds;
};

struct rates {
	struct rate rate[RATES_MAX];
	size_t n;
};

/* "n/seconds", the len octets at s, as one more rate. 0, or -1: it is none, or one too many, or for the same time. */
int rates_add(struct rates *r, const char *s, size_t len);

enum counts_result {
	COUNTS_OK,    /* counted, on every rate */
	COUNTS_OVER,  /* over *which, until *wait_s are over; nothing was counted */
	COUNTS_NEVER, /* k alone is over *which; nothing was counted */
	COUNTS_ERROR, /* errno (ETIMEDOUT: the lock) */
};

/*
 * Count k recipients for who, a user or a peer, at now_ms (of 1970). directory is open; who is any text. *which and
 * *wait_s are set where they are spoken of above.
 */
enum counts_result counts_add(int directory, const char *who, bool is_peer, const struct rates *r, int64_t k,
    int64_t now_ms, const struct rate **which, int64_t *wait_s);

/*
 * The name of who's file: letters in lower case, so that another way to write a name is not another file, digits and
 * "@+-_." as they are (a dot not in front), %XX for all else; "=" in front of a peer's; one that would be too long is
 * cut, with a sum of all of it behind. 0, or -1 with errno ENOMEM.
 */
int counts_name(struct buf *b, const char *who, bool is_peer);

#endif
