/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_STARTER_H
#define MSA_DELIVER_STARTER_H

#include <stdint.h>

#include "deliver/clientconf.h"
#include "net/helper.h"
#include "net/nexthop.h"

/*
 * What a client does besides talking: it looks up a name and connects, and it starts tlsc(8) and saslc(8). A process in
 * a sandbox can do none of these. So it forks a starter before it enters the sandbox, and asks the starter.
 *
 * A request is the number of a host and some descriptors. Hosts, programs, their arguments and the credentials are in
 * the starter's own copy of the configuration: whoever has taken over the client can ask for nothing else. The starter
 * serves each request in a child, and ends when the client does.
 */
struct starter {
	int fd;                    /* requests go there */
	const struct nexthop *hop; /* the hosts */
};

/*
 * Fork the starter for nhops hosts. conf and hop must outlive it. Afterwards the caller sets conf->starter, and may
 * close the credentials. Returns 0, or -1 with errno set.
 */
int starter_open(struct starter *s, const struct client_conf *conf, const struct nexthop *hop, size_t nhops);

/* In the process of the client; what has no starter is done there. n is one of the starter's hosts. */

/* As nexthop_connect, but the reason is a copy. */
enum { STARTER_WHY = 128 };
int starter_connect(const struct client_conf *conf, const struct nexthop *n, int64_t deadline_ms,
    char why[STARTER_WHY]);

/* Start tlsc with the connection work as its fd 3, or saslc with the credentials. Returns as helper_start. */
int starter_tls(const struct client_conf *conf, const struct nexthop *n, int seconds, int work, struct helper *h);
int starter_auth(const struct client_conf *conf, struct helper *h);

#endif
