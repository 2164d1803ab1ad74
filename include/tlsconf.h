/* ISC licence, see LICENSE. */
#ifndef TLSCONF_H
#define TLSCONF_H

#include "buf.h"

struct tls;

/*
 * A server context from a certificate file (its chain behind it) and a key file, both PEM: TLS 1.2 and 1.3, libtls's
 * secure ciphers, no client certificate asked for. The caller frees it with tls_free. NULL: why is a text that names
 * the file; errno is ENOMEM where that was the reason, else EINVAL.
 */
struct tls *tlsconf_server(const char *cert, const char *key, struct buf *why);

#endif
