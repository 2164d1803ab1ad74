/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_DAY_H
#define MSA_LOG_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/logline.h"
#include "histogram.h"
#include "tally.h"

/* What a log says about a day, or any other time, in memory of one size. */

enum { DAY_BARS = 96, DAY_BAR_S = 60 }; /* of the plot over time; seconds of a bar at first */

/* What the sums of a tally are. */
enum { USER_MESSAGES, USER_RCPTS, USER_OCTETS, USER_REFUSED };
enum { HOP_TRIES, HOP_RCPTS, HOP_ACCEPTED, HOP_FAILED };

/* A part of the time: a message counts where the client got its answer. */
struct day_bar {
	uint64_t accepted, refused;
};

struct day {
	unsigned long long lines;
	int64_t first_us, last_us; /* -1: none */
	bool guessed;              /* some times are those of ids */
	unsigned long long messages, mixed, refused; /* accepted wholly, in part, not at all */
	int64_t rcpts, octets;     /* of those that were accepted wholly */
	struct histogram times;    /* ms from the end of the data to the answer */
	uint64_t suppressed;
	unsigned long long cut;    /* lines that were cut off */
	int64_t bar_begin, bar_s;
	struct day_bar bar[DAY_BARS];
	struct tally users;    /* and ip:ADDRESS, for those without a name */
	struct tally refusals; /* of messages: the code and its text */
	struct tally commands; /* that were rejected: the code, the verb and the text */
	struct tally logins;   /* "authenticated PLAIN"; "refused: wrong password" */
	struct tally guessers; /* addresses whose logins were refused */
	struct tally stages;   /* that refused a message, and why */
	struct tally hops;
	struct tally fates;    /* of recipients: the stage and the event */
	struct tally tls;      /* sessions: version and suite */
	struct tally shakes;   /* handshakes that failed */
	struct tally penalties;
	struct tally troubles; /* the stage and what failed */
	struct tally work;     /* the stages' times */
};

void day_open(struct day *d);

/* Count a line. Returns 0, or -1 with errno set (ENOMEM). */
int day_add(struct day *d, const struct logline *l);

void day_free(struct day *d);

#endif
