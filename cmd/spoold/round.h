/* ISC licence, see LICENSE. */
#ifndef ROUND_H
#define ROUND_H

#include "base/log.h"
#include "spool/spool.h"
#include "stage/run.h"

/* How messages are tried, and what is reported to their senders. */
struct round_conf {
	struct spool spool;
	struct next next;       /* the rest of the chain */
	struct next reports;    /* the chain for reports */
	const char *keywords;   /* what the next hop offers, as of offerfile_expand; NULL: nothing */
	bool delivers;          /* the next hop delivers, so reports say "delivered" instead of "relayed" */
	const char *from;       /* the From address of reports, or NULL: the default */
	size_t quote_max;       /* octets of the message in a report */
	int attempt_s;          /* the most that one run of the chain may take */
	int first_s, most_s;    /* between two attempts: after the first, and at most */
	int lifetime_s;         /* after which a recipient that still waits has failed */
	int delay_s;            /* after which a delay is reported; 0: never */
};

/*
 * Do one round for a message of cur: run the chain for the recipients that wait, record the results, put a report about
 * them into the spool, and record that; or remove the message if nothing is left to do. Runs in a process of its own,
 * with SIGTERM blocked; while it waits it looks whether SIGTERM is pending.
 * Returns 0, or -1: not everything could be done (logged); what was recorded is on the disk.
 */
int round_run(const struct round_conf *conf, const struct log *log, const char *id);

#endif
