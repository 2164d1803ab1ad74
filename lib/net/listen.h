/* ISC licence, see LICENSE. */
#ifndef MSA_NET_LISTEN_H
#define MSA_NET_LISTEN_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IP address, an IPv4 one mapped into IPv6 (::ffff:192.0.2.1), and a port. */
struct endpoint {
	unsigned char addr[16];
	uint16_t port;
};

enum { ENDPOINT_TEXT = INET6_ADDRSTRLEN + 8 }; /* "[...]:65535" with the NUL */

/* ss is IPv4 or IPv6. 0, or -1. */
int endpoint_from(struct endpoint *e, const struct sockaddr_storage *ss);

/* The address alone, as chain(7) writes it: "192.0.2.1", "2001:db8::1". text has room for ENDPOINT_TEXT. */
void endpoint_ip(const struct endpoint *e, char *text);

/* "192.0.2.1:587", "[2001:db8::1]:587". */
void endpoint_text(const struct endpoint *e, char *text);

/*
 * Listen at "address:port": an IPv4 address, or an IPv6 one in brackets, or 0 for every IPv4 address; [::] is every
 * address of both kinds. Port 0 is a free one. The descriptor (close-on-exec), or -1 with errno (EINVAL: no such form).
 */
int listener_open(const char *address);

/* The listening socket that a super-server gives: LISTEN_FDS (systemd), else fd 0. The variables are unset. */
int listener_given(void);

#endif
