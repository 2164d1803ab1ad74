/* ISC licence, see LICENSE. */
/* For LD_PRELOAD: PBKDF2 works, and says "slow hash" and its iterations on descriptor 2, which no sandbox closes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <openssl/evp.h>
#include <stdio.h>

int
PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen, int iterations,
    const EVP_MD *digest, int keylen, unsigned char *out)
{
	static int (*next)(const char *, int, const unsigned char *, int, int, const EVP_MD *, int, unsigned char *);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "PKCS5_PBKDF2_HMAC");
	dprintf(2, "slow hash %d\n", iterations);
	return next(pass, passlen, salt, saltlen, iterations, digest, keylen, out);
}
