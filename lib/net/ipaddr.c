/* ISC licence, see LICENSE. */
#include "net/ipaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ipaddr
ipaddr_from_octets(int family, const void *p)
{
	struct ipaddr a;

	if (family == AF_INET) {
		memcpy(a.octet, mapped, sizeof mapped);
		memcpy(a.octet + sizeof mapped, p, 4);
	} else
		memcpy(a.octet, p, sizeof a.octet);
	return a;
}

int
ipaddr_parse(struct ipaddr *a, const char *text)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	unsigned char octet[16];

	if (inet_pton(family, text, octet) != 1)
		return -1;
	*a = ipaddr_from_octets(family, octet);
	return 0;
}

int
ipaddr_parse_zoned(struct ipaddr *a, const char *text)
{
	char ip[IPADDR_TEXT];
	size_t n = strcspn(text, "%");

	if (n >= sizeof ip)
		return -1;
	memcpy(ip, text, n);
	ip[n] = '\0';
	return ipaddr_parse(a, ip);
}

void
ipaddr_text(const struct ipaddr *a, char text[IPADDR_TEXT])
{
	if (ipaddr_is_v4(a))
		inet_ntop(AF_INET, a->octet + sizeof mapped, text, IPADDR_TEXT);
	else
		inet_ntop(AF_INET6, a->octet, text, IPADDR_TEXT);
}

void
ipaddr_literal(const struct ipaddr *a, char text[IPADDR_LITERAL])
{
	char ip[IPADDR_TEXT];

	ipaddr_text(a, ip);
	snprintf(text, IPADDR_LITERAL, ipaddr_is_v4(a) ? "[%.45s]" : "[IPv6:%.45s]", ip);
}

bool
ipaddr_is_v4(const struct ipaddr *a)
{
	return memcmp(a->octet, mapped, sizeof mapped) == 0;
}

bool
ipaddr_is_loopback(const struct ipaddr *a)
{
	static const struct ipaddr one = { { [15] = 1 } };

	return ipaddr_is_v4(a) ? a->octet[12] == 127 : memcmp(a, &one, sizeof one) == 0;
}

bool
ipaddr_is_in(const struct ipaddr *a, const struct ipaddr *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8, mask = 0xffu << (8 - rest) & 0xff;

	return memcmp(a->octet, net->octet, whole) == 0 &&
	    (rest == 0 || ((a->octet[whole] ^ net->octet[whole]) & mask) == 0);
}

int
endpoint_from(struct endpoint *e, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET) {
		e->ip = ipaddr_from_octets(AF_INET, &in4->sin_addr);
		e->port = ntohs(in4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		e->ip = ipaddr_from_octets(AF_INET6, &in6->sin6_addr);
		e->port = ntohs(in6->sin6_port);
	} else
		return -1;
	return 0;
}

void
endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT])
{
	char ip[IPADDR_TEXT];

	ipaddr_text(&e->ip, ip);
	snprintf(text, ENDPOINT_TEXT, ipaddr_is_v4(&e->ip) ? "%.45s:%u" : "[%.45s]:%u", ip, (unsigned)e->port);
}
