/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_ADMISSION_H
#define MSA_TLSD_ADMISSION_H

#include <stddef.h>
#include <stdint.h>

#include "net/ipaddr.h"

/*
 * How many connections there are, counted in memory that the parent shares with all workers. An address is an IPv4
 * address or the /64 of an IPv6 one. Addresses are counted in ADMISSION_BUCKETS buckets by a secret hash, so two may now
 * and then be counted as one. What a worker that was killed held is given back by admission_lost.
 */
enum {
	ADMISSION_ADDRESS = 50,   /* connections from one address, by default */
	ADMISSION_EARLY = 250,    /* connections that are not yet with the next stage */
	ADMISSION_TOTAL = 1000,
	ADMISSION_MAX = 100000,   /* for each of them */
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
	unsigned worker, next; /* in a worker: which one it is, where it looks for a free place */
};

/* 0, or -1 with errno. */
int admission_open(struct admission *l, const struct admission_conf *conf, unsigned workers);
void admission_close(struct admission *l);

/* In a worker: one connection more, that is an early one. ADMISSION_OK: *place is its place, for the calls below. */
enum admission_result admission_enter(struct admission *l, unsigned *place);
/* Its address is known. ADMISSION_OVER_ADDRESS: it must go. */
enum admission_result admission_address(struct admission *l, unsigned place, const struct endpoint *e);
/* It is no longer early. */
void admission_settle(struct admission *l, unsigned place);
void admission_leave(struct admission *l, unsigned place);

/* In the parent: worker is gone with all it had. */
void admission_lost(struct admission *l, unsigned worker);

#endif
