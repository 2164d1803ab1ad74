/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_PEER_H
#define MSA_STAGE_PEER_H

#include "chain/facts.h"

/*
 * Find the peer's address, whatever super-server started us. If TCPREMOTEIP is not set, set TCPREMOTEIP, TCPREMOTEPORT,
 * TCPLOCALIP and TCPLOCALPORT from the first of: TCP6REMOTEIP (ucspi-tcp6), REMOTE_ADDR (systemd), TCPREMOTEADDR
 * (ipsvd: address:port), getpeername(fd). An IPv4-mapped IPv6 address becomes the IPv4 address. If the peer's address
 * is unknown, TCPREMOTEIP stays unset. Returns 0, or -1 with errno set (ENOMEM).
 */
int peer_learn(struct facts *f, int fd);

#endif
