/* ISC licence, see LICENSE. */
#ifndef MSA_NET_PROXYHDR_H
#define MSA_NET_PROXYHDR_H

#include <stdbool.h>
#include <stddef.h>

#include "net/ipaddr.h"

/*
 * The header of HAProxy's PROXY protocol, versions 1 and 2, which a proxy sends before everything else, and the list of
 * proxies that are believed.
 */
enum {
	PROXYHDR_V1_MAX = 107, /* octets, with CRLF: section 2.1 of the protocol */
	PROXYHDR_MAX = 2048,   /* of version 2, with extensions, which are skipped */
	PROXYHDR_TRUST_MAX = 64,
};

enum proxyhdr_result {
	PROXYHDR_MORE,    /* the octets are the beginning of a header */
	PROXYHDR_PEER,    /* *client and *local are the addresses in the header */
	PROXYHDR_UNKNOWN, /* a valid header without the client's address: LOCAL, UNKNOWN, or no IP address */
	PROXYHDR_BAD,     /* not a header */
};

/* Parse the n octets at p. *used is the length of a complete header. */
enum proxyhdr_result proxyhdr_parse(const void *p, size_t n, size_t *used, struct endpoint *client,
    struct endpoint *local);

/* Zero-initialised, nobody is trusted. */
struct proxyhdr_trust {
	struct proxyhdr_net {
		struct ipaddr ip;
		unsigned bits; /* of the 128 */
	} net[PROXYHDR_TRUST_MAX];
	size_t n;
};

/* Add "address[/bits][,...]". Returns 0, or -1: malformed, or more than PROXYHDR_TRUST_MAX. */
int proxyhdr_trust_add(struct proxyhdr_trust *t, const char *list);

/* Returns true if a proxy at e is believed. */
bool proxyhdr_trusted(const struct proxyhdr_trust *t, const struct endpoint *e);

#endif
