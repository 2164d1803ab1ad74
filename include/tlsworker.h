/* ISC licence, see LICENSE. */
#ifndef TLSWORKER_H
#define TLSWORKER_H

#include "facts.h"
#include "log.h"
#include "tlsserver.h"

/* One worker of tlsserver: the loop over its connections. */
struct tlsworker_conf {
	const struct tlsserver_conf *server;
	const struct facts *facts; /* of every connection */
	const struct log *log;
	int listener;              /* non-blocking */
	int stop;                  /* readable: the service ends, or the parent is gone */
};

/*
 * Serve until told to end (SIGTERM, stop) and the last connection is over. SIGHUP: take no more, serve those that are
 * there. The signals are blocked when it is called. The result is a chain_exit code.
 */
int tlsworker_run(const struct tlsworker_conf *conf);

#endif
