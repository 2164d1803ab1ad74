/* ISC licence, see LICENSE. */
#ifndef MSA_NET_NEXTHOP_H
#define MSA_NET_NEXTHOP_H

#include <stdbool.h>
#include <stdint.h>

/* The address of the next server, and how to connect to it. */
enum {
	NEXTHOP_HOST_MAX = 255,     /* octets of a host name */
	NEXTHOP_ADDRESSES_MAX = 16, /* of a name that are tried */
};

struct nexthop {
	bool is_unix;
	const char *text;                /* as given, borrowed: a path, or the name for the log */
	char host[NEXTHOP_HOST_MAX + 1]; /* without brackets; "" for a path */
	char port[8];
};

/*
 * Parse "host:port", "[IPv6]:port" or, if text contains "/", the path of a Unix socket. port is the default; NULL: text
 * must have one. Returns 0, or -1: malformed.
 */
int nexthop_parse(struct nexthop *n, const char *text, const char *port);

/* Returns true if host is an IP address, so that no resolver is asked. */
bool nexthop_is_numeric(const struct nexthop *n);

/* Returns the TCP port, or 0 for the path of a Unix socket. */
unsigned nexthop_port(const struct nexthop *n);

/*
 * Connect to each address of the name in turn, with an equal share of the time for each. With loopback, connect to
 * addresses of this machine only. Returns a connected socket, close-on-exec and non-blocking; or -1 and *why, which is
 * valid until the next call. The name is looked up in a child process, so that the resolver cannot exceed the deadline.
 */
int nexthop_connect(const struct nexthop *n, bool loopback, int64_t deadline_ms, const char **why);

#endif
