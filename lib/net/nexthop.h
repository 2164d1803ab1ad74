/* ISC licence, see LICENSE. */
#ifndef MSA_NET_NEXTHOP_H
#define MSA_NET_NEXTHOP_H

#include <stdbool.h>
#include <stdint.h>

/* The server that is next: where it is, and the way to it. */
enum {
	NEXTHOP_HOST_MAX = 255,    /* octets of a host's name */
	NEXTHOP_ADDRESSES_MAX = 16, /* of a name that are tried */
};

struct nexthop {
	bool is_unix;
	const char *text;                /* as given, borrowed: the path, and what the log calls it */
	char host[NEXTHOP_HOST_MAX + 1]; /* without brackets; "" for a path */
	char port[8];
};

/*
 * "host:port", "[IPv6]:port" or, with a "/" in it, the path of a Unix socket. port: what counts where text has none;
 * NULL: it must. 0, or -1: it is none.
 */
int nexthop_parse(struct nexthop *n, const char *text, const char *port);

/*
 * Connect, to each address of the name in turn, in an equal share of the time. loopback: to no other address than
 * this machine's own. A connected socket, close-on-exec and non-blocking; or -1 with *why, borrowed for a moment.
 * A name is looked up in a child, so that the resolver has no more time than there is.
 */
int nexthop_connect(const struct nexthop *n, bool loopback, int64_t deadline_ms, const char **why);

#endif
