/* ISC licence, see LICENSE. */
#include "net/ipaddr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/nexthop.h"
#include "net/proxyhdr.h"
#include "unit.h"

static void
show_proxy(const char *s, size_t n)
{
	static const char *const names[] = {
		[PROXYHDR_MORE] = "more", [PROXYHDR_BAD] = "bad", [PROXYHDR_UNKNOWN] = "unknown", [PROXYHDR_PEER] = "peer"
	};
	struct endpoint client, local;
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];
	size_t used;
	enum proxyhdr_result r = proxyhdr_parse(s, n, &used, &client, &local);

	printf("%s", names[r]);
	if (r == PROXYHDR_PEER) {
		endpoint_text(&client, from);
		endpoint_text(&local, to);
		printf(" %s %s", from, to);
	}
	if (r == PROXYHDR_PEER || r == PROXYHDR_UNKNOWN)
		printf(" %zu of %zu", used, n);
}

/* "list address" */
static void
show_trust(char *s)
{
	struct proxyhdr_trust t = { .n = 0 };
	struct endpoint e = { .port = 1 };
	char *address = strchr(s, ' ');

	*address++ = '\0';
	if (proxyhdr_trust_add(&t, s) < 0)
		printf("no list");
	else if (ipaddr_parse(&e.ip, address) < 0)
		printf("no address");
	else
		printf("%s", proxyhdr_trusted(&t, &e) ? "yes" : "no");
}

static void
show_loopback(const char *s)
{
	struct ipaddr a;

	printf("%s", ipaddr_parse(&a, s) < 0 ? "no address" : ipaddr_is_loopback(&a) ? "yes" : "no");
}

static void
show_hop(const char *s)
{
	struct nexthop n;

	if (nexthop_parse(&n, s, NULL) < 0)
		printf("no");
	else if (n.is_unix)
		printf("path %s", n.text);
	else
		printf("host %s port %s", n.host, n.port);
}

/* The socket that systemd gave, and what a next program would be told of it. */
static int
given(void)
{
	printf("%d", listener_given());
	printf(" %s %s %s\n", getenv("LISTEN_FDS") ? "LISTEN_FDS" : "-", getenv("LISTEN_PID") ? "LISTEN_PID" : "-",
	    getenv("LISTEN_FDNAMES") ? "LISTEN_FDNAMES" : "-");
	return 0;
}

/*
 * Listen at an address: whether a client of IPv4 and one of IPv6 come through, and whether the port can be used
 * again. Returns whether it can.
 */
static bool
listening(const char *address, char *said, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct endpoint e;
	char text[ENDPOINT_TEXT];
	int fd = listener_open(address), i;
	size_t n = 0;

	if (fd < 0) {
		snprintf(said, size, "%s", strerror(errno));
		return true;
	}
	getsockname(fd, (struct sockaddr *)&ss, &len);
	endpoint_from(&e, &ss);
	for (i = 4; i <= 6; i += 2) {
		struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(e.port),
			.sin_addr = { htonl(INADDR_LOOPBACK) } };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(e.port),
			.sin6_addr = IN6ADDR_LOOPBACK_INIT };
		int s = socket(i == 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
		int r = i == 4 ? connect(s, (struct sockaddr *)&in4, sizeof in4) : connect(s, (struct sockaddr *)&in6, sizeof in6);

		n += (size_t)snprintf(said + n, size - n, "IPv%d %s, ", i, r < 0 ? "no" : "yes");
		if (r == 0)
			close(accept(fd, NULL, NULL)); /* our end closes first, so the port waits a while */
		close(s);
	}
	close(fd);
	if (ss.ss_family == AF_INET6)
		snprintf(text, sizeof text, "[::]:%u", (unsigned)e.port);
	else
		endpoint_text(&e, text);
	fd = listener_open(text);
	snprintf(said + n, size - n, "again %s", fd < 0 ? strerror(errno) : "yes");
	return fd >= 0;
}

/* Another program of this machine may take the port before we do: that happens once, not three times. */
static int
listening_somewhere(const char *address)
{
	char said[200];
	int tries = 3;

	while (!listening(address, said, sizeof said) && --tries > 0)
		;
	puts(said);
	return 0;
}

/* proxy | trust | loopback | hop: for each line what becomes of it. given. listen ADDRESS. */
int
unit_net(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char *s, *raw;
	size_t n;

	if (strcmp(what, "given") == 0)
		return given();
	if (strcmp(what, "listen") == 0 && argc == 3)
		return listening_somewhere(argv[2]);
	while ((s = unit_line(&n, &raw))) {
		printf("%s => ", raw);
		if (strcmp(what, "proxy") == 0)
			show_proxy(s, n);
		else if (strcmp(what, "trust") == 0)
			show_trust(s);
		else if (strcmp(what, "loopback") == 0)
			show_loopback(s);
		else
			show_hop(s);
		putchar('\n');
		free(s);
		free(raw);
	}
	return 0;
}
