/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_SERVER_H
#define MSA_TLSD_SERVER_H

#include "tlsd/serverconf.h"

/*
 * tlsd -l (Linux only): a parent that listens, and workers, each of which serves many connections in one event loop.
 *
 * Only the parent reads keys. It replaces a worker that died, and all workers when the keys have changed; it looks when
 * a client comes, at most once a second. A worker that was replaced serves its connections to their end. Each worker
 * reads changed rules itself.
 *
 * SIGTERM: accept no new connections. Clients in the clear get 421 4.3.2, the stages end the other sessions, and after
 * POOL_STOP_S all is closed. SIGHUP: read keys and rules again.
 */

enum { TLSSERVER_WORKERS_MAX = 256 }; /* with those that are being replaced */

/* Serve until SIGTERM. Returns a chain_exit code. */
int tlsserver_run(struct tlsserver_conf *conf);

#endif
