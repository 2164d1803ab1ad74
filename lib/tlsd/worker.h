/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_WORKER_H
#define MSA_TLSD_WORKER_H

#include "base/log.h"
#include "chain/facts.h"
#include "tlsd/admission.h"
#include "tlsd/server.h"
#include "tlsd/tcprules.h"

/* One worker of tlsserver: the loop over its connections. */
struct tlsworker_conf {
	const struct tlsserver_conf *server;
	const struct facts *facts; /* of every connection */
	const struct log *log;
	struct admission *limits;
	struct tcprules *rules;       /* NULL: none */
	int listener;              /* non-blocking */
	int wake;                  /* an octet is written there when the keys should be looked at: at most one a second */
	int stop;                  /* readable: the service ends, or the parent is gone */
};

/*
 * Serve until told to end (SIGTERM, stop) and the last connection is over. SIGHUP: take no more, serve those that are
 * there. The signals are blocked when it is called. The result is a chain_exit code.
 */
int tlsworker_run(const struct tlsworker_conf *conf);

#endif
