/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_CONNECTION_H
#define MSA_TLSD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/log.h"
#include "chain/facts.h"
#include "tlsd/admission.h"
#include "tlsd/events.h"
#include "tlsd/pump.h"
#include "tlsd/serverconf.h"
#include "tlsd/tcprules.h"

/*
 * One connection of a worker, from accept to close: the PROXY header, the rules, the limits, the pump, and the handover
 * to the next stage.
 */
struct connection;

/* All connections of a worker, and what they need. Zero-initialise, then set the first members. */
struct connections {
	const struct tlsserver_conf *server;
	const struct facts *facts; /* of every connection */
	struct admission *limits;
	struct tcprules *rules;    /* NULL: none */
	struct events *events;
	struct log log;

	size_t n;
	int64_t next_ms; /* when connections_look_at_clock has something to do; 0: never */

	/* The rest is the module's own. */
	struct pump_conf pump;
	struct pump_spare spare;
	struct connection *first;
	struct connection *ready, *dead;
	int64_t said_ms;   /* when a refusal was logged last */
	unsigned unsaid;   /* refusals since then that were not logged */
};

/* Call before the first connection. */
void connections_open(struct connections *all);
void connections_close(struct connections *all);

/* Serve the socket fd, which was accepted from ss and is this module's from now on. */
void connection_accept(struct connections *all, int fd, const struct sockaddr_storage *ss);

/* Handle an event whose watch has this owner. */
void connection_event(struct connection *c, const struct event *e);

/* Make next_ms no later than ms. */
void connections_expect(struct connections *all, int64_t ms);

/* Call after next_ms: handle the deadlines that have passed. */
void connections_look_at_clock(struct connections *all, int64_t now);

/* Call after admission's wake: close the connections that have to go. */
void connections_make_room(struct connections *all);

/* Returns true if a connection has more to do without any event. */
bool connections_are_ready(const struct connections *all);

/* Call after all events of a batch: serve the connections that are ready, and free those that have ended. */
void connections_go_on(struct connections *all);

/* The service ends: close the connections without a PROXY header yet, and tell the clients in the clear. */
void connections_stop(struct connections *all);

#endif
