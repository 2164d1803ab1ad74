/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_WORKER_H
#define MSA_TLSD_WORKER_H

#include "base/log.h"
#include "chain/facts.h"
#include "tlsd/admission.h"
#include "tlsd/serverconf.h"
#include "tlsd/tcprules.h"

/* One worker of the server: the event loop, the listening socket and the timers. All pointers are borrowed. */
struct tlsworker_conf {
	const struct tlsserver_conf *server;
	const struct facts *facts; /* of every connection */
	const struct log *log;
	struct admission *limits;
	struct tcprules *rules;    /* NULL: none */
	int listener;              /* non-blocking */
	int wake;                  /* an octet is written there when the keys should be looked at, at most once a second */
	int stop;                  /* readable once the service ends or the parent is gone */
};

/*
 * Serve until told to end (SIGTERM, or stop) and the last connection is over. After SIGHUP, accept no more connections
 * and serve those that are there. The caller has blocked the signals. Returns a chain_exit code.
 */
int tlsworker_run(const struct tlsworker_conf *conf);

#endif
