/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_ADMISSION_H
#define MSA_TLSD_ADMISSION_H

#include <stddef.h>
#include <stdint.h>

#include "net/ipaddr.h"

/*
 * Counts and limits connections, in memory that the parent shares with all workers. An address is an IPv4 address or
 * the /64 of an IPv6 address. Addresses are counted in ADMISSION_BUCKETS buckets by a secret hash, so two addresses are
 * sometimes counted as one. admission_lost gives back the places of a worker that was killed.
 */
enum {
	ADMISSION_ADDRESS = 50,   /* connections from one address, by default */
	ADMISSION_EARLY = 250,    /* connections whose next stage has not greeted yet */
	ADMISSION_TOTAL = 1000,
	ADMISSION_MAX = 100000,   /* of each limit */
	ADMISSION_BUCKETS = 65536,
};

struct admission_conf {
	unsigned address, early, total;
};

enum admission_result { ADMISSION_OK, ADMISSION_OVER_TOTAL, ADMISSION_OVER_EARLY, ADMISSION_OVER_ADDRESS };

struct admission_shared;

struct admission {
	struct admission_conf conf;
	struct admission_shared *shared;
	uint64_t secret[2];
	unsigned workers;
	unsigned worker, next; /* in a worker: its number, and where it looks for a free place */
};

/* Returns 0, or -1 with errno set. workers is the most that can exist at once. */
int admission_open(struct admission *l, const struct admission_conf *conf, unsigned workers);
void admission_close(struct admission *l);

/* In a worker: count a new connection, which is an early one. After ADMISSION_OK, *place identifies it below. */
enum admission_result admission_enter(struct admission *l, unsigned *place);
/* Count the connection's address. After ADMISSION_OVER_ADDRESS, close the connection. */
enum admission_result admission_address(struct admission *l, unsigned place, const struct endpoint *e);
/* The connection is no longer early. */
void admission_settle(struct admission *l, unsigned place);
void admission_leave(struct admission *l, unsigned place);

/* In the parent: a worker has ended with all its connections. */
void admission_lost(struct admission *l, unsigned worker);

#endif
