/* ISC licence, see LICENSE. */
#include "tlsconf.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <tls.h>

/* libtls does not say which file it speaks of. */
static void
blame(struct buf *why, const char *cert, const char *key, const char *text)
{
	if (strstr(text, "certificate"))
		buf_printf(why, "%s: %s", cert, text);
	else if (strstr(text, "read private key"))
		buf_printf(why, "%s: %s", key, text);
	else
		buf_printf(why, "%s: does not fit %s: %s", key, cert, text);
}

struct tls *
tlsconf_server(const char *cert, const char *key, struct buf *why)
{
	struct tls_config *conf = NULL;
	struct tls *tls = NULL;
	uint8_t *c = NULL, *k = NULL;
	size_t clen = 0, klen = 0;
	int reason = EINVAL;

	if (!(c = tls_load_file(cert, &clen, NULL)))
		buf_printf(why, "%s: %s", cert, strerror(errno));
	else if (!(k = tls_load_file(key, &klen, NULL)))
		buf_printf(why, "%s: %s", key, strerror(errno));
	else if (!(conf = tls_config_new()) || !(tls = tls_server())) {
		reason = ENOMEM;
		buf_puts(why, strerror(reason));
	} else if (tls_config_set_keypair_mem(conf, c, clen, k, klen) < 0 ||
	    tls_config_set_protocols(conf, TLS_PROTOCOL_TLSv1_2 | TLS_PROTOCOL_TLSv1_3) < 0)
		blame(why, cert, key, tls_config_error(conf));
	else if (tls_configure(tls, conf) < 0)
		blame(why, cert, key, tls_error(tls));
	else
		reason = 0;
	if (k)
		tls_unload_file(k, klen);
	if (c)
		tls_unload_file(c, clen);
	if (conf) { /* tls has a copy of its own: of the certificate, and the key as OpenSSL holds it */
		tls_config_clear_keys(conf);
		tls_config_free(conf);
	}
	if (reason == 0)
		return tls;
	tls_free(tls);
	errno = reason;
	return NULL;
}
