/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_CONF_H
#define MSA_TLSD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "msa/buf.h"
#include "tlsd/authority.h"

struct tls;

/*
 * The files and settings of a server context; all borrowed. Clients that name no server, or an unknown one, get the
 * first pair.
 */
enum { TLSCONF_PAIRS = 64 };
struct tlsconf {
	struct tlsconf_pair {
		const char *cert;   /* file: the certificate, then its chain, PEM */
		const char *key;    /* file, PEM */
		const char *staple; /* file: the OCSP response, DER; NULL: none */
	} pair[TLSCONF_PAIRS];
	size_t n;
	bool only_13;           /* TLS 1.2 is refused */
	const char *ciphers;    /* in the notation of tls_config_set_ciphers; NULL, "secure" and "default": our own list */
	const char *ca;         /* file, PEM: ask clients for a certificate signed by one of these; NULL: do not ask */
	bool lenient;           /* one that is not good fails no handshake: it is judged by authority.h */
};

/*
 * Returns a server context for TLS 1.2 and 1.3, which the caller frees with tls_free, and sets *authority, if c is
 * lenient; or NULL with errno set (ENOMEM, else EINVAL) and a text in why that names the file. Then *authority stays.
 */
struct tls *tlsconf_server(const struct tlsconf *c, struct authority *authority, struct buf *why);

/* Returns a number that changes when one of the files changes, or a symbolic link leads to another file. */
unsigned long long tlsconf_stamp(const struct tlsconf *c);

#endif
