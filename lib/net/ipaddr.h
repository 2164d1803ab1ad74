/* ISC licence, see LICENSE. */
#ifndef MSA_NET_IPADDR_H
#define MSA_NET_IPADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IP address. An IPv4 address is held as an IPv4-mapped IPv6 address (::ffff:192.0.2.1, RFC 4291 2.5.5.2). */
struct ipaddr {
	unsigned char octet[16];
};

struct endpoint {
	struct ipaddr ip;
	uint16_t port; /* in the machine's byte order */
};

enum {
	IPADDR_TEXT = INET6_ADDRSTRLEN,        /* octets of ipaddr_text, with the NUL */
	IPADDR_LITERAL = INET6_ADDRSTRLEN + 7, /* of ipaddr_literal: "[IPv6:...]" */
	ENDPOINT_TEXT = INET6_ADDRSTRLEN + 8,  /* of endpoint_text: "[...]:65535" */
	IPADDR_V4_BITS = 96,                   /* of the prefix that all IPv4 addresses have in common */
};

/* Parse text, an IPv4 address, or an IPv6 one without a zone. Returns 0, or -1: not an address. */
int ipaddr_parse(struct ipaddr *a, const char *text);

/* As ipaddr_parse, but drop a zone at the end of text ("fe80::1%eth0"), which has no meaning for other hosts. */
int ipaddr_parse_zoned(struct ipaddr *a, const char *text);

/* The 4 octets (AF_INET) or 16 octets (AF_INET6) at p, in network byte order. */
struct ipaddr ipaddr_from_octets(int family, const void *p);

/* Write a as chain(7) has it: "192.0.2.1", "2001:db8::1". */
void ipaddr_text(const struct ipaddr *a, char text[IPADDR_TEXT]);

/* Write a as an address literal, RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
void ipaddr_literal(const struct ipaddr *a, char text[IPADDR_LITERAL]);

bool ipaddr_is_v4(const struct ipaddr *a);
bool ipaddr_is_loopback(const struct ipaddr *a);

/* Returns true if the first bits (0 to 128) of a and net are the same. */
bool ipaddr_is_in(const struct ipaddr *a, const struct ipaddr *net, unsigned bits);

/* Returns 0, or -1: ss is neither IPv4 nor IPv6. */
int endpoint_from(struct endpoint *e, const struct sockaddr_storage *ss);

/* Write e as "192.0.2.1:587" or "[2001:db8::1]:587". */
void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT]);

#endif
