/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_SERVERCONF_H
#define MSA_TLSD_SERVERCONF_H

#include "net/proxyhdr.h"
#include "stage/next.h"
#include "tlsd/admission.h"
#include "tlsd/conf.h"
#include "tlsd/guard.h"
#include "tlsd/pump.h"

/* The configuration of the server, its workers and their connections. All pointers are borrowed, except pump.tls. */
struct tlsserver_conf {
	struct pump_conf pump; /* tls is set by the server */
	struct tlsconf keys;
	const char *address;      /* to listen at, in the form of listener_open; "0": listener_given */
	struct next next;         /* the next stage: a program, or a resident */
	const char *user;         /* the workers take this user's uid; NULL: they keep ours */
	struct admission_conf limits;
	const char *rules;        /* file of tcprules(1); NULL: none */
	struct proxyhdr_trust proxies;
	struct guard guard;       /* opened by the server */
	int workers;
	int notify_fd;            /* the address and a newline are written there once connections are accepted; -1: none */
};

#endif
