/* ISC licence, see LICENSE. */
#include "tlsd/authority.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

enum { SECURITY_LEVEL = 2 }; /* of keys and digests, as Debian's OpenSSL has it for the handshake: 112 bits */

int
authority_read(struct authority *a, const char *path)
{
	X509_STORE *store = X509_STORE_new();

	if (!store || X509_STORE_load_locations(store, path, NULL) != 1) {
		X509_STORE_free(store);
		ERR_clear_error();
		return -1;
	}
	X509_STORE_free(a->store);
	a->store = store;
	return 0;
}

/* Read the certificates after the first one, which help to find the way to an authority. Returns false: no memory. */
static bool
read_rest(BIO *in, STACK_OF(X509) *rest)
{
	X509 *cert;

	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)))
		if (sk_X509_push(rest, cert) <= 0) {
			X509_free(cert);
			return false;
		}
	return true;
}

static const char *
verify(X509_STORE *store, X509 *cert, STACK_OF(X509) *rest)
{
	X509_STORE_CTX *v = X509_STORE_CTX_new();
	const char *why = "no memory";

	if (v && X509_STORE_CTX_init(v, store, cert, rest) == 1 && X509_STORE_CTX_set_default(v, "ssl_client") == 1) {
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(v), SECURITY_LEVEL);
		why = X509_verify_cert(v) == 1 && X509_STORE_CTX_get_error(v) == X509_V_OK ? NULL :
		    X509_verify_cert_error_string(X509_STORE_CTX_get_error(v));
	}
	X509_STORE_CTX_free(v);
	return why;
}

const char *
authority_refuses(const struct authority *a, const void *chain, size_t n)
{
	BIO *in = chain && n <= INT_MAX ? BIO_new_mem_buf(chain, (int)n) : NULL;
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	STACK_OF(X509) *rest = sk_X509_new_null();
	const char *why = !a->store ? "no authority" : "no certificate";

	if (a->store && cert && rest)
		why = read_rest(in, rest) ? verify(a->store, cert, rest) : "no memory";
	sk_X509_pop_free(rest, X509_free);
	X509_free(cert);
	BIO_free(in);
	ERR_clear_error();
	return why;
}

void
authority_free(struct authority *a)
{
	X509_STORE_free(a->store);
	a->store = NULL;
}
