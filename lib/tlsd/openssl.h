/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_OPENSSL_H
#define MSA_TLSD_OPENSSL_H

#include <time.h>

/*
 * What OpenSSL can do for a server and libtls cannot ask for. Call once in a process, before the first context:
 *   no session tickets are made
 *   clear text in OpenSSL's buffers is overwritten once it has been read
 *   a client that offers protocols by ALPN (RFC 7301) must offer "smtp", "esmtp" or "lmtp": else its handshake fails
 *   a request for a certificate names the authorities in ca, a PEM file, which is read for each context; NULL: none
 * ca must stay valid.
 */
void openssl_start(const char *ca);

/*
 * Read the times of the certificates in a PEM file: when all of them have begun to be valid, and when the first one
 * ends. Returns 0, or -1: the file cannot be read, or has no certificate.
 */
int openssl_validity(const char *path, time_t *begins, time_t *ends);

#endif
