/* ISC licence, see LICENSE. */
#include "stage/peer.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

/* A connection over loopback from 127.0.0.3, of IPv4 or mapped into IPv6: the server's end, or -1. */
static int
connection(int mapped)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in client = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK + 2) } };
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof in6;
	int l, c, s, off = 0;

	if (mapped) {
		l = socket(AF_INET6, SOCK_STREAM, 0);
		if (l < 0 || setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0 ||
		    bind(l, (struct sockaddr *)&in6, sizeof in6) < 0 || getsockname(l, (struct sockaddr *)&in6, &len) < 0)
			return -1;
		in4.sin_port = in6.sin6_port;
	} else {
		l = socket(AF_INET, SOCK_STREAM, 0);
		len = sizeof in4;
		if (l < 0 || bind(l, (struct sockaddr *)&in4, sizeof in4) < 0 ||
		    getsockname(l, (struct sockaddr *)&in4, &len) < 0)
			return -1;
	}
	c = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(c, (struct sockaddr *)&client, sizeof client) < 0 || listen(l, 1) < 0 ||
	    connect(c, (struct sockaddr *)&in4, sizeof in4) < 0 || (s = accept(l, NULL, NULL)) < 0)
		return -1;
	return s;
}

/* What is learnt from the environment and fd 0, or (socket, mapped) from a connection: ports as numbers or "a port". */
int
unit_peer(int argc, char **argv)
{
	static const char *const names[] = { "TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALIP", "TCPLOCALPORT" };
	struct facts f = { 0 };
	int fd = argc > 1 ? connection(strcmp(argv[1], "mapped") == 0) : 0;
	size_t i;

	if (fd < 0) {
		printf("no connection\n");
		return 1;
	}
	if (facts_from_environ(&f) < 0 || peer_learn(&f, fd) < 0)
		return 111;
	for (i = 0; i < 4; i++) {
		const char *value = facts_get(&f, names[i]);

		printf("%s%s", i ? " " : "", !value ? "-" : argc > 1 && i % 2 ? "a-port" : value);
	}
	putchar('\n');
	facts_free(&f);
	return 0;
}
