/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_CONF_H
#define MSA_TLSD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "msa/buf.h"

struct tls;

/* What a server context is made of; all borrowed. The first pair is for clients that name no server of another. */
enum { TLSCONF_PAIRS = 64 };
struct tlsconf {
	struct tlsconf_pair {
		const char *cert;   /* file: the certificate, its chain behind it, PEM */
		const char *key;    /* file, PEM */
		const char *staple; /* file: the OCSP response, DER; NULL: none */
	} pair[TLSCONF_PAIRS];
	size_t n;
	bool only_13;           /* TLS 1.2 is refused */
	const char *ciphers;    /* as tls_config_set_ciphers has it; NULL: libtls's secure ones */
	const char *ca;         /* file: clients are asked for a certificate signed by one of these, PEM; NULL: they are not */
};

/* Once in a process, before the first context: session tickets are not issued. */
void tlsconf_start(void);

/*
 * A server context: TLS 1.2 and 1.3. The caller frees it with tls_free. NULL: why is a
 * text that names the file; errno is ENOMEM where that was the reason, else EINVAL.
 */
struct tls *tlsconf_server(const struct tlsconf *c, struct buf *why);

/* Something that changes when one of the files does, or the one that its name leads to. */
unsigned long long tlsconf_stamp(const struct tlsconf *c);

#endif
