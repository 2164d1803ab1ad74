/* ISC licence, see LICENSE. */
#ifndef PUMP_H
#define PUMP_H

#include <stdint.h>

struct tls;

/*
 * Shake hands as a client over the non-blocking descriptor net, until deadline_ms. 0; or -1 with *why, borrowed from
 * tls or constant.
 */
int pump_handshake(struct tls *tls, int net, int64_t deadline_ms, const char **why);

/*
 * Move octets between in and out, in the clear and non-blocking, and net, under TLS, until either side ends. When in
 * ends what it said still goes out, and close_notify, for linger_ms at most. When net ends what it said still goes to
 * out; an end without close_notify is an end like any other, since SMTP has its own.
 */
void pump_run(struct tls *tls, int in, int out, int net, int linger_ms);

#endif
