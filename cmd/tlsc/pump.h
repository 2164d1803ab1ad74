/* ISC licence, see LICENSE. */
#ifndef PUMP_H
#define PUMP_H

#include <stdint.h>

struct tls;

/*
 * Do the handshake as a client over the non-blocking descriptor net, until deadline_ms (of clock_ms). Returns 0, or -1
 * and *why, which is constant or borrowed from tls.
 */
int pump_handshake(struct tls *tls, int net, int64_t deadline_ms, const char **why);

/*
 * Move octets between in and out, which are in the clear and non-blocking, and net, which is under TLS, until either
 * side ends. After the end of in, the octets read from it and close_notify are still sent, for at most linger_ms. After
 * the end of net, the octets read from it still go to out. An end without close_notify is not an error, because SMTP
 * has an end of its own.
 */
void pump_run(struct tls *tls, int in, int out, int net, int linger_ms);

#endif
