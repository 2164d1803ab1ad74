/* ISC licence, see LICENSE. */
#ifndef QUOTA_H
#define QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "listener.h"

/*
 * How many connections there are, counted in memory that the parent shares with all workers. An address is an IPv4
 * address or the /64 of an IPv6 one. Addresses are counted in QUOTA_BUCKETS buckets by a secret hash, so two may now
 * and then be counted as one. What a worker that was killed held is given back by quota_lost.
 */
enum {
	QUOTA_ADDRESS = 50,   /* connections from one address, by default */
	QUOTA_EARLY = 250,    /* connections that are not yet with the next stage */
	QUOTA_TOTAL = 1000,
	QUOTA_MAX = 100000,   /* for each of them */
	QUOTA_BUCKETS = 65536,
};

struct quota_conf {
	unsigned address, early, total;
};

enum quota_result { QUOTA_OK, QUOTA_OVER_TOTAL, QUOTA_OVER_EARLY, QUOTA_OVER_ADDRESS };

struct quota_shared;

struct quota {
	struct quota_conf conf;
	struct quota_shared *shared;
	uint64_t secret[2];
	unsigned workers;
	unsigned worker, next; /* in a worker: which one it is, where it looks for a free place */
};

/* 0, or -1 with errno. */
int quota_open(struct quota *l, const struct quota_conf *conf, unsigned workers);
void quota_close(struct quota *l);

/* In a worker: one connection more, that is an early one. QUOTA_OK: *place is its place, for the calls below. */
enum quota_result quota_enter(struct quota *l, unsigned *place);
/* Its address is known. QUOTA_OVER_ADDRESS: it must go. */
enum quota_result quota_address(struct quota *l, unsigned place, const struct endpoint *e);
/* It is no longer early. */
void quota_settle(struct quota *l, unsigned place);
void quota_leave(struct quota *l, unsigned place);

/* In the parent: worker is gone with all it had. */
void quota_lost(struct quota *l, unsigned worker);

#endif
