/* ISC licence, see LICENSE. */
#ifndef MSA_NET_LISTEN_H
#define MSA_NET_LISTEN_H

#include <stdbool.h>

/*
 * Listen at "address:port". address is an IPv4 address, an IPv6 address in brackets, 0 for every IPv4 address, or [::]
 * for every address of both kinds. Port 0 is any free port. Returns the descriptor, close-on-exec, or -1 with errno set
 * (EINVAL: not of this form).
 */
int listener_open(const char *address);

/* Returns true if listener_open can take this address. */
bool listener_is_address(const char *address);

/*
 * Return the listening socket that a super-server passed: systemd's first (LISTEN_FDS), or fd 0. Unsets systemd's
 * variables.
 */
int listener_given(void);

#endif
