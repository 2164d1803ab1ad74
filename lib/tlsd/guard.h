/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_GUARD_H
#define MSA_TLSD_GUARD_H

#include <stdbool.h>

#include "auth/penalty.h"
#include "base/log.h"
#include "net/ipaddr.h"
#include "net/proxyhdr.h"
#include "tlsd/pump.h"

/*
 * tlsd's part of the table of penalties (auth/penalty.h): who guesses passwords is refused before any handshake, and
 * connections that come to nothing are counted.
 */
struct guard {
	const char *directory;        /* borrowed; NULL: nobody is refused or counted */
	struct proxyhdr_trust spared; /* addresses that never are */
	struct penalty penalty;
};

/* Open the table, while the directory may be read. Returns a chain_exit code; what is wrong was logged. */
int guard_open(struct guard *g, const struct log *log);
void guard_close(struct guard *g);

/* Returns true if this client is to be counted, and may be refused. */
bool guard_applies(const struct guard *g, const struct ipaddr *ip);

/* Returns why the client is refused, a constant, or NULL. */
const char *guard_refuses(const struct guard *g, const struct ipaddr *ip);

/* The client's connection is over: count what it was. */
void guard_count(const struct guard *g, const struct ipaddr *ip, enum pump_fate fate);

#endif
