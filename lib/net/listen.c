/* ISC licence, see LICENSE. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/facts.h"
#include "chain/limits.h"

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

int
endpoint_from(struct endpoint *e, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET) {
		memcpy(e->addr, mapped, sizeof mapped);
		memcpy(e->addr + sizeof mapped, &in4->sin_addr, 4);
		e->port = ntohs(in4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(e->addr, &in6->sin6_addr, 16);
		e->port = ntohs(in6->sin6_port);
	} else
		return -1;
	return 0;
}

void
endpoint_ip(const struct endpoint *e, char *text)
{
	if (memcmp(e->addr, mapped, sizeof mapped) == 0)
		inet_ntop(AF_INET, e->addr + sizeof mapped, text, ENDPOINT_TEXT);
	else
		inet_ntop(AF_INET6, e->addr, text, ENDPOINT_TEXT);
}

void
endpoint_text(const struct endpoint *e, char *text)
{
	char ip[ENDPOINT_TEXT];

	endpoint_ip(e, ip);
	snprintf(text, ENDPOINT_TEXT, strchr(ip, ':') ? "[%.45s]:%u" : "%.45s:%u", ip, (unsigned)e->port);
}

/* "address:port" into ss. 0, or -1. */
static int
parse(const char *address, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	const char *colon = strrchr(address, ':');
	char ip[INET6_ADDRSTRLEN], *end;
	unsigned long port;
	size_t n;

	memset(ss, 0, sizeof *ss);
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return -1;
	port = strtoul(colon + 1, &end, 10);
	n = (size_t)(colon - address);
	if (*end || port > 65535 || n == 0 || n >= sizeof ip)
		return -1;
	memcpy(ip, address, n);
	ip[n] = '\0';
	if (ip[0] == '[' && ip[n - 1] == ']') {
		ip[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*len = sizeof *in6;
		return inet_pton(AF_INET6, ip + 1, &in6->sin6_addr) == 1 ? 0 : -1;
	}
	in4->sin_family = AF_INET;
	in4->sin_port = htons((uint16_t)port);
	*len = sizeof *in4;
	return strcmp(ip, "0") == 0 || inet_pton(AF_INET, ip, &in4->sin_addr) == 1 ? 0 : -1;
}

int
listener_open(const char *address)
{
	const int on = 1, off = 0;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, e;

	if (parse(address, &ss, &len) < 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, (struct sockaddr *)&ss, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

int
listener_given(void)
{
	struct facts f = { 0 };
	int fd = CHAIN_FD_IN;

	if (facts_from_environ(&f) == 0 && facts_number(&f, "LISTEN_FDS", 0) > 0 &&
	    facts_number(&f, "LISTEN_PID", 0) == getpid())
		fd = CHAIN_FD_ENVELOPE; /* systemd's first is 3 */
	facts_free(&f);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return fd;
}
