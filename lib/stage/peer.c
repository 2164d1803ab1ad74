/* ISC licence, see LICENSE. */
#include "stage/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int
set(struct facts *f, const char *name, const char *value)
{
	if (!value || !*value)
		return 0;
	return facts_set_text(f, name, value, strlen(value));
}

/*
 * Write ip in plain form to text: an IPv4-mapped IPv6 address as the IPv4 address, a link-local address without its
 * zone. Returns text, or NULL if ip is not an address.
 */
static const char *
plain(const char *ip, char text[INET6_ADDRSTRLEN])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char addr[16];
	size_t n = strcspn(ip, "%");

	if (n >= INET6_ADDRSTRLEN)
		return NULL;
	memcpy(text, ip, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, addr) == 1)
		return memcmp(addr, mapped, sizeof mapped) == 0 ? inet_ntop(AF_INET, addr + 12, text, INET6_ADDRSTRLEN) : text;
	return inet_pton(AF_INET, text, addr) == 1 ? text : NULL;
}

static int
set_pair(struct facts *f, const char *ip_name, const char *port_name, const char *ip, const char *port)
{
	char text[INET6_ADDRSTRLEN];

	ip = ip ? plain(ip, text) : NULL;
	if (!ip)
		return 0;
	return set(f, ip_name, ip) < 0 || set(f, port_name, port) < 0 ? -1 : 0;
}

/* ipsvd: "192.0.2.1:4711" in one variable. */
static int
set_joined(struct facts *f, const char *ip_name, const char *port_name, const char *joined)
{
	char ip[INET6_ADDRSTRLEN + 1];
	const char *colon;

	if (!joined || !(colon = strrchr(joined, ':')) || (size_t)(colon - joined) >= sizeof ip)
		return 0;
	memcpy(ip, joined, (size_t)(colon - joined));
	ip[colon - joined] = '\0';
	return set_pair(f, ip_name, port_name, ip, colon + 1);
}

static int
set_socket(struct facts *f, const char *ip_name, const char *port_name, const struct sockaddr_storage *ss)
{
	char ip[INET6_ADDRSTRLEN], port[8];
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	unsigned number;

	if (ss->ss_family == AF_INET && inet_ntop(AF_INET, &in4->sin_addr, ip, sizeof ip))
		number = ntohs(in4->sin_port);
	else if (ss->ss_family == AF_INET6 && inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip))
		number = ntohs(in6->sin6_port);
	else
		return 0;
	snprintf(port, sizeof port, "%u", number);
	return set_pair(f, ip_name, port_name, ip, port);
}

int
peer_learn(struct facts *f, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len;
	const char *ip = facts_get(f, "TCPREMOTEIP");

	if (ip) { /* believed, and only brought into plain form */
		if (set_pair(f, "TCPREMOTEIP", "TCPREMOTEPORT", ip, NULL) < 0)
			return -1;
		return set_pair(f, "TCPLOCALIP", "TCPLOCALPORT", facts_get(f, "TCPLOCALIP"), NULL);
	}
	if ((ip = facts_get(f, "TCP6REMOTEIP"))) {
		if (set_pair(f, "TCPREMOTEIP", "TCPREMOTEPORT", ip, facts_get(f, "TCP6REMOTEPORT")) < 0)
			return -1;
		return set_pair(f, "TCPLOCALIP", "TCPLOCALPORT", facts_get(f, "TCP6LOCALIP"),
		    facts_get(f, "TCP6LOCALPORT"));
	}
	if ((ip = facts_get(f, "REMOTE_ADDR"))) {
		if (set_pair(f, "TCPREMOTEIP", "TCPREMOTEPORT", ip, facts_get(f, "REMOTE_PORT")) < 0)
			return -1;
	} else if (facts_get(f, "TCPREMOTEADDR")) {
		if (set_joined(f, "TCPREMOTEIP", "TCPREMOTEPORT", facts_get(f, "TCPREMOTEADDR")) < 0)
			return -1;
		return set_joined(f, "TCPLOCALIP", "TCPLOCALPORT", facts_get(f, "TCPLOCALADDR"));
	}
	len = sizeof ss;
	if (!facts_get(f, "TCPREMOTEIP") && getpeername(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    set_socket(f, "TCPREMOTEIP", "TCPREMOTEPORT", &ss) < 0)
		return -1;
	len = sizeof ss;
	if (!facts_get(f, "TCPLOCALIP") && getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    set_socket(f, "TCPLOCALIP", "TCPLOCALPORT", &ss) < 0)
		return -1;
	return 0;
}
