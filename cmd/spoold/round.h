/* ISC licence, see LICENSE. */
#ifndef ROUND_H
#define ROUND_H

#include "base/log.h"
#include "smtp/ehlo.h"
#include "stage/run.h"
#include "spool/spool.h"

/* How messages are tried, and what is told to their senders. */
struct round_conf {
	struct spool spool;
	struct next next;       /* the rest of the chain */
	struct ehlo next_hop;   /* what it offers */
	bool delivers;          /* what it takes is delivered, not relayed */
	const char *from;       /* of reports: an address, or NULL */
	size_t quote_max;       /* octets of the message in a report */
	int attempt_s;          /* for the rest of the chain to answer */
	int first_s, most_s;    /* from one attempt to the next: at first, and at most */
	int lifetime_s;         /* after which who was not reached has failed */
	int delay_s;            /* after which a delay is reported; 0: never */
};

/*
 * One round for a message of cur, in a process of its own: run the chain for those who wait, record what became of
 * them, put the report about it into the spool, record that; or remove the message. 0; -1: it could not all be recorded
 * (logged), and what was is on the disk. SIGTERM is blocked, and only looked for.
 */
int round_run(const struct round_conf *conf, const struct log *log, const char *id);

#endif
