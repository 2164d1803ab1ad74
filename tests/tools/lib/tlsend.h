/* ISC licence, see LICENSE. */
/* One end of a conversation of a test: descriptors, and perhaps TLS over them. */
#ifndef TLSEND_H
#define TLSEND_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct end {
	int in, out; /* the same one if it is a socket; -1: closed */
	SSL *tls;
	double seconds; /* to wait for octets, or for room for them */
};

enum { END_TIMEOUT = -2, END_CUT = -3 }; /* TLS that ended without close_notify */

/* Returns how many octets came, 0 at the end, -1 with errno set, END_TIMEOUT or END_CUT. */
ssize_t end_receive(struct end *e, void *data, size_t size);

/* Send all. Returns 0, -1 or END_TIMEOUT. */
int end_send(struct end *e, const void *data, size_t size);

/* Shake hands as a client that takes any certificate, or as a server with the certificate and key of a file (NULL: a
 * client). Returns 0, or -1. */
int end_start_tls(struct end *e, const char *certificate);

/* End our direction; both. */
void end_shut(struct end *e);
void end_close(struct end *e);

#endif
