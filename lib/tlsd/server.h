/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_SERVER_H
#define MSA_TLSD_SERVER_H

#include "net/proxyhdr.h"
#include "tlsd/admission.h"
#include "tlsd/conf.h"
#include "tlsd/pump.h"

/*
 * tlsd as a server: a parent that listens, and workers, each of which serves as many connections as come to it in one
 * event loop. The parent alone reads keys: it replaces a worker that died, and all of them when keys have changed (a
 * worker has it look when somebody comes, once a second at most); those that are replaced serve the connections they
 * have to their end. The rules are read again by each worker itself.
 *
 * SIGTERM: no new connections; clients in the clear get 421 4.3.2, the stages end the others, and after POOL_STOP_S
 * nobody waits any more. SIGHUP: keys and rules are read again.
 */
struct tlsserver_conf {
	struct pump_conf pump; /* tls is the server's to fill in */
	struct tlsconf keys;
	const char *address;      /* to listen at, as listener_open has it; "0": listener_given */
	char *const *argv;        /* the next stage */
	const char *user;         /* NULL, or whose uid the workers take */
	struct admission_conf limits;
	const char *rules;        /* tcprules' file; NULL: none */
	struct proxyhdr_trust proxies;
	int workers;
	int notify_fd;            /* -1, or: the address and a newline are written there when connections are taken */
};

enum { TLSSERVER_WORKERS_MAX = 256 }; /* those that are being replaced included */

/* Serve until SIGTERM. The result is a chain_exit code. */
int tlsserver_run(struct tlsserver_conf *conf);

#endif
