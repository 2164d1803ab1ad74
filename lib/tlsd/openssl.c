/* ISC licence, see LICENSE. */
#include "tlsd/openssl.h"

#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * OpenSSL makes two session tickets for each TLS 1.3 handshake, and we would accept none of them (tlsd(8) CAVEATS).
 * libtls cannot switch them off. OpenSSL's configuration can, and libtls does not load any, so ours is all there is.
 * LibreSSL does not know the setting and makes no tickets. That is why no result is checked.
 */
static void
make_no_tickets(void)
{
	static const char text[] = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = context\n"
	                           "[context]\nNumTickets = 0\n";
	BIO *in = BIO_new_mem_buf(text, -1);
	CONF *conf = NCONF_new(NULL);

	OPENSSL_load_builtin_modules();
	if (in && conf && NCONF_load_bio(conf, in, NULL) > 0)
		CONF_modules_load(conf, NULL, CONF_MFLAGS_IGNORE_ERRORS);
	NCONF_free(conf);
	BIO_free(in);
}

static bool
is_ours(const unsigned char *name, size_t n)
{
	static const char *const ours[] = { "smtp", "esmtp", "lmtp" };
	size_t i;

	for (i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strlen(ours[i]) == n && memcmp(ours[i], name, n) == 0)
			return true;
	return false;
}

/*
 * Choose the first of the offered protocols that is ours. A client that offers only others wants another server, as a
 * browser does that a page sent here. IANA has no name for SMTP: these are the names that Exim takes, and LMTP's.
 * OpenSSL has checked the form of the list: each name has its length in front.
 */
static int
choose(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen, void *arg)
{
	unsigned at;

	(void)ssl;
	(void)arg;
	for (at = 0; at < inlen; at += 1u + in[at])
		if (is_ours(in + at + 1, in[at])) {
			*out = in + at + 1;
			*outlen = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/*
 * Called by OpenSSL for each context that is made, libtls's too. libtls asks for a certificate without naming the
 * authorities, so a mail program shows any certificate that it has, and the handshake fails.
 */
static void
made(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *ca)
{
	STACK_OF(X509_NAME) *names = ca ? SSL_load_client_CA_file(ca) : NULL;

	(void)ptr;
	(void)data;
	(void)index;
	(void)argl;
	if (names)
		SSL_CTX_set_client_CA_list(parent, names); /* the context owns them now */
	ERR_clear_error(); /* a file that cannot be read is reported by who reads the certificates in it */
	SSL_CTX_set_alpn_select_cb(parent, choose, NULL);
#ifdef SSL_OP_CLEANSE_PLAINTEXT /* not in LibreSSL */
	SSL_CTX_set_options(parent, SSL_OP_CLEANSE_PLAINTEXT);
#endif
}

void
openssl_start(const char *ca)
{
	make_no_tickets();
	/* libtls shows nobody its contexts: so we learn of them */
	SSL_CTX_get_ex_new_index(0, (void *)(uintptr_t)ca, made, NULL, NULL);
}

int
openssl_validity(const char *path, time_t *begins, time_t *ends)
{
	BIO *in = BIO_new_file(path, "r");
	struct tm from, to;
	X509 *cert;
	int n = 0;

	while (in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		if (ASN1_TIME_to_tm(X509_get0_notBefore(cert), &from) && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &to)) {
			time_t begin = timegm(&from), end = timegm(&to);

			*begins = n == 0 || begin > *begins ? begin : *begins;
			*ends = n == 0 || end < *ends ? end : *ends;
			n++;
		}
		X509_free(cert);
	}
	BIO_free(in);
	ERR_clear_error(); /* the end of the file is one */
	return n > 0 ? 0 : -1;
}
