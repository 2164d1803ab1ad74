/* ISC licence, see LICENSE. */
#ifndef MSA_NET_PROXYHDR_H
#define MSA_NET_PROXYHDR_H

#include <stdbool.h>
#include <stddef.h>

#include "net/listen.h"

/*
 * The header of HAProxy's PROXY protocol, versions 1 and 2, that a proxy sends before everything else, and the list of
 * proxies that are believed.
 */
enum {
	PROXYHDR_V1_MAX = 107, /* octets, with CRLF: section 2.1 of the protocol */
	PROXYHDR_MAX = 2048,   /* of version 2, extensions included; they are passed over */
	PROXYHDR_TRUST_MAX = 64,
};

enum proxyhdr_result {
	PROXYHDR_MORE,    /* what has come is the beginning of one */
	PROXYHDR_PEER,    /* *client and *local are what it says */
	PROXYHDR_UNKNOWN, /* it is one and says nothing of the client: LOCAL, UNKNOWN, or no IP addresses */
	PROXYHDR_BAD,
};

/* Parse the n octets at p. *used: how many were the header's, where it is complete. */
enum proxyhdr_result proxyhdr_parse(const void *p, size_t n, size_t *used, struct endpoint *client,
    struct endpoint *local);

struct proxyhdr_trust {
	struct { unsigned char addr[16]; unsigned bits; } net[PROXYHDR_TRUST_MAX];
	size_t n;
};

/* Add "address[/bits][,...]". 0, or -1: it is none, or there are too many. */
int proxyhdr_trust_add(struct proxyhdr_trust *t, const char *list);

bool proxyhdr_trusted(const struct proxyhdr_trust *t, const struct endpoint *e);

#endif
