/* ISC licence, see LICENSE. */
#include "stage/peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/ipaddr.h"

static int
set(struct facts *f, const char *name, const char *value)
{
	if (!value || !*value)
		return 0;
	return facts_set_text(f, name, value, strlen(value));
}

static int
set_ip(struct facts *f, const char *name, const struct ipaddr *ip)
{
	char text[IPADDR_TEXT];

	ipaddr_text(ip, text);
	return set(f, name, text);
}

static int
set_pair(struct facts *f, const char *ip_name, const char *port_name, const char *ip, const char *port)
{
	struct ipaddr a;

	if (!ip || ipaddr_parse_zoned(&a, ip) < 0)
		return 0;
	return set_ip(f, ip_name, &a) < 0 || set(f, port_name, port) < 0 ? -1 : 0;
}

/* ipsvd: "192.0.2.1:4711" in one variable. */
static int
set_joined(struct facts *f, const char *ip_name, const char *port_name, const char *joined)
{
	char ip[IPADDR_TEXT + 1];
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
	struct endpoint e;
	char port[8];

	if (endpoint_from(&e, ss) < 0)
		return 0;
	snprintf(port, sizeof port, "%u", (unsigned)e.port);
	return set_ip(f, ip_name, &e.ip) < 0 || set(f, port_name, port) < 0 ? -1 : 0;
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
