/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_PEER_H
#define MSA_STAGE_PEER_H

#include "chain/facts.h"

/*
 * Who the peer is, whatever super-server started us. Sets TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP and TCPLOCALPORT where
 * TCPREMOTEIP is not set, from the first of: TCP6REMOTEIP (ucspi-tcp6), REMOTE_ADDR (systemd), TCPREMOTEADDR
 * (ipsvd: address:port), getpeername(fd). An IPv4-mapped IPv6 address becomes the IPv4 address. A peer that
 * cannot be told leaves TCPREMOTEIP unset. 0, or -1 with errno ENOMEM.
 */
int peer_learn(struct facts *f, int fd);

#endif
