/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_ADMISSION_H
#define MSA_TLSD_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ipaddr.h"

/*
 * Counts and limits connections, in memory that the parent shares with all workers.
 *
 * A connection is early until its client has proved that it may send mail (tlsd/proof). Early ones have places of their
 * own. If these are used up, or those of a net, or all of the service, the newcomer is let in and an early one has to
 * go: the oldest of the net that has most. So strangers drive out strangers of their own nets first.
 *
 * An address that has all of its own early places, or all of its connections, gets no other one: those that it has may
 * be proving themselves, and an office that begins its day would only drive out its own.
 *
 * An address is an IPv4 address, or the /64 of an IPv6 address. Its nets are the /24 of an IPv4 address, and the /56
 * and the /48 of an IPv6 address. They are counted in ADMISSION_BUCKETS buckets by a secret hash, so two are
 * sometimes counted as one.
 *
 * admission_lost gives back the places of a worker that was killed.
 */
enum {
	ADMISSION_ADDRESS = 500,  /* connections from one address, by default: an office may have only one */
	ADMISSION_HOST = 50,      /* early connections from one address */
	ADMISSION_EARLY = 250,    /* early connections */
	ADMISSION_TOTAL = 1000,
	ADMISSION_MAX = 100000,   /* of each limit */
	ADMISSION_BUCKETS = 65536,
};

struct admission_conf {
	unsigned address, early, total;
	unsigned host; /* early ones of one address. 0: ADMISSION_HOST. Never more than address */
	unsigned net;  /* early ones of one /24 or /48; a /56 has half of it. 0: half of early, but not less than host */
};

enum admission_result {
	ADMISSION_OK,
	ADMISSION_OVER_TOTAL,
	ADMISSION_OVER_EARLY,
	ADMISSION_OVER_ADDRESS,
	ADMISSION_OVER_HOST,
};

struct admission_shared;

struct admission {
	struct admission_conf conf;
	struct admission_shared *shared;
	uint64_t secret[2];
	unsigned workers;
	unsigned worker;       /* in a worker: its number */
	unsigned next, next_early; /* where it looks for free places */
	int wake;              /* readable, and an edge, once a connection of any worker has to go */
};

/* A connection's places. */
struct admission_ticket {
	unsigned place;
	unsigned early; /* of the early ones; ADMISSION_NO_PLACE: it is no longer early */
};

enum { ADMISSION_NO_PLACE = 0xffffff };

/* Returns 0, or -1 with errno set. workers is the most that can exist at once. */
int admission_open(struct admission *l, const struct admission_conf *conf, unsigned workers);
void admission_close(struct admission *l);

/* The functions below are called in a worker. now_ms is clock_ms. */

/*
 * Count a new connection, whose address need not be known yet. Returns ADMISSION_OK with *t set, or
 * ADMISSION_OVER_EARLY or ADMISSION_OVER_TOTAL: not counted.
 */
enum admission_result admission_enter(struct admission *l, struct admission_ticket *t, int64_t now_ms);

/*
 * Count the connection's address, once. After ADMISSION_OK, another connection may have to go. After any other result,
 * close this one.
 */
enum admission_result admission_address(struct admission *l, struct admission_ticket *t, const struct endpoint *e);

/* The client has proved itself. Returns 0, or -1: too late, the connection has to go. */
int admission_settle(struct admission *l, struct admission_ticket *t);

void admission_leave(struct admission *l, struct admission_ticket *t);

/* Returns true if early connections of this worker have to go that did not have to at the last call. */
bool admission_has_news(struct admission *l);

/* Returns true if the connection has to go. */
bool admission_is_evicted(const struct admission *l, const struct admission_ticket *t);

/*
 * Returns the time that a connection may be early: full_ms, and less once more than half of the early places are in
 * use, down to an eighth.
 */
int admission_time(const struct admission *l, int full_ms);

/* In the parent: a worker has ended with all its connections. Believes nothing that a worker has written. */
void admission_lost(struct admission *l, unsigned worker);

#endif
