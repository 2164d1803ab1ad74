/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* crypt_ra */
#endif
#include "auth/credential.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

_Static_assert((int)CREDENTIAL_HASH == (int)SHA256_DIGEST_LENGTH, "a hash is SHA-256's");
_Static_assert((int)CREDENTIAL_KEY_MAX == (int)SHA512_DIGEST_LENGTH, "the longest key is SHA-512's");

enum {
	HASH = CREDENTIAL_HASH,
	SALT_MAX = CREDENTIAL_SALT_MAX,
	FIELD_MAX = 128,     /* characters of a salt or hash in base64 */
	HMAC_TEXT_MAX = 300, /* octets */
	VERIFIER_MAX = 384,  /* characters of a SCRAM verifier */
};

static const char random_prefix[] = "SSHA256$";

/* SHA-256 first: an unknown user costs the time of that. */
const struct credential_hash credential_hashes[CREDENTIAL_HASHES] = {
	{ "SCRAM-SHA-256", "sha256", SHA256_DIGEST_LENGTH, EVP_sha256 },
	{ "SCRAM-SHA-512", "sha512", SHA512_DIGEST_LENGTH, EVP_sha512 },
	{ "SCRAM-SHA-1", "sha1", SHA_DIGEST_LENGTH, EVP_sha1 },
};

const struct credential_hash *
credential_hash_of(const char *mech)
{
	size_t i;

	for (i = 0; i < CREDENTIAL_HASHES; i++)
		if (strcmp(mech, credential_hashes[i].mech) == 0)
			return &credential_hashes[i];
	return NULL;
}

/* Returns the hash of the verifier that s begins with, or NULL: s does not begin with one. */
static const struct credential_hash *
scram_hash(const char *s)
{
	size_t i, n;

	for (i = 0; i < CREDENTIAL_HASHES; i++) {
		n = strlen(credential_hashes[i].mech);
		if (strncmp(s, credential_hashes[i].mech, n) == 0 && s[n] == '$')
			return &credential_hashes[i];
	}
	return NULL;
}

bool
credential_is_scram(const char *s)
{
	return scram_hash(s);
}

bool
credential_is_random(const char *s)
{
	return strncmp(s, random_prefix, sizeof random_prefix - 1) == 0;
}

unsigned
credential_iterations(const char **s)
{
	unsigned long n = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9' && n <= CREDENTIAL_ITERATIONS_MAX; p++)
		n = n * 10 + (unsigned long)(*p - '0');
	if (*p != ':' || n < CREDENTIAL_ITERATIONS_MIN || n > CREDENTIAL_ITERATIONS_MAX)
		return 0;
	*s = p + 1;
	return (unsigned)n;
}

ssize_t
credential_field(const char **s, char stop, unsigned char *out, size_t cap)
{
	unsigned char raw[FIELD_MAX];
	const char *end = strchr(*s, stop);
	ssize_t n;

	if (!end || (size_t)(end - *s) > sizeof raw)
		return -1;
	n = base64_decode(raw, *s, (size_t)(end - *s));
	if (n <= 0 || (size_t)n > cap)
		return -1;
	memcpy(out, raw, (size_t)n);
	*s = end + (stop != '\0');
	return n;
}

/* Parse the verifier that s begins with, up to a space or the end. Returns 0, or -1. */
static int
parse_verifier(struct credential_scram *v, const char *s)
{
	char copy[VERIFIER_MAX];
	size_t len = strcspn(s, " ");
	ssize_t salt = -1, size;
	int ok = 0;

	v->hash = scram_hash(s);
	if (!v->hash || len >= sizeof copy)
		return -1;
	memcpy(copy, s, len);
	copy[len] = '\0';
	s = copy + strlen(v->hash->mech) + 1;
	size = (ssize_t)v->hash->size;
	v->iterations = credential_iterations(&s);
	if (v->iterations > 0 && (salt = credential_field(&s, '$', v->salt, sizeof v->salt)) > 0)
		ok = credential_field(&s, ':', v->stored, v->hash->size) == size &&
		    credential_field(&s, '\0', v->server, v->hash->size) == size;
	v->salt_len = ok ? (size_t)salt : 0;
	explicit_bzero(copy, sizeof copy);
	return ok ? 0 : -1;
}

/* Returns what follows the first word of s and a space, or NULL: nothing. */
static const char *
next_word(const char *s)
{
	s += strcspn(s, " ");
	return *s ? s + 1 : NULL;
}

int
credential_scram_parse(struct credential_scram *v, const char *text, const struct credential_hash *hash)
{
	const char *s;
	size_t i;

	for (i = 0; i < CREDENTIAL_HASHES; i++)
		for (s = text; s && (!hash || hash == &credential_hashes[i]); s = next_word(s))
			if (scram_hash(s) == &credential_hashes[i] && parse_verifier(v, s) == 0)
				return 0;
	return -1;
}

/* Returns true if all of text is verifiers, each for a hash of its own. */
static bool
scram_is_valid(const char *text)
{
	struct credential_scram v;
	const char *s, *other;
	bool ok = true;

	for (s = text; ok && s; s = next_word(s)) {
		ok = parse_verifier(&v, s) == 0;
		for (other = text; ok && other != s; other = next_word(other))
			ok = scram_hash(other) != v.hash;
	}
	explicit_bzero(&v, sizeof v);
	return ok;
}

int
credential_scram_format(struct buf *out, const struct credential_scram *v)
{
	size_t was = out->len;

	if (buf_printf(out, "%s$%u:", v->hash->mech, v->iterations) < 0 ||
	    base64_encode(out, v->salt, v->salt_len) < 0 || buf_puts(out, "$") < 0 ||
	    base64_encode(out, v->stored, v->hash->size) < 0 || buf_puts(out, ":") < 0 ||
	    base64_encode(out, v->server, v->hash->size) < 0) {
		out->len = was;
		return -1;
	}
	return 0;
}

int
credential_hmac(unsigned char *out, const struct credential_hash *hash, const unsigned char *key, size_t key_len,
    const char *a, const char *b)
{
	char data[HMAC_TEXT_MAX + 1];
	int n = snprintf(data, sizeof data, "%s%s", a, b);

	if (n < 0 || (size_t)n >= sizeof data)
		return -1;
	return HMAC(hash->md(), key, (int)key_len, (unsigned char *)data, (size_t)n, out, NULL) ? 0 : -1;
}

int
credential_scram_compute(struct credential_scram *v, const char *password, size_t len)
{
	const struct credential_hash *h = v->hash;
	unsigned char salted[CREDENTIAL_KEY_MAX], client[CREDENTIAL_KEY_MAX];
	int ok = PKCS5_PBKDF2_HMAC(password, (int)len, v->salt, (int)v->salt_len, (int)v->iterations, h->md(),
	    (int)h->size, salted) == 1 && credential_hmac(client, h, salted, h->size, "Client Key", "") == 0 &&
	    credential_hmac(v->server, h, salted, h->size, "Server Key", "") == 0 &&
	    EVP_Digest(client, h->size, v->stored, NULL, h->md(), NULL) == 1;

	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	if (!ok)
		errno = ENOMEM;
	return ok ? 0 : -1;
}

int
credential_random_hash(unsigned char out[HASH], const unsigned char *salt, size_t salt_len, const char *password,
    size_t len)
{
	struct buf b = { 0 };
	int r = buf_add(&b, salt, salt_len) == 0 && buf_add(&b, password, len) == 0 &&
	    SHA256((unsigned char *)b.p, b.len, out) ? 0 : -1;

	buf_wipe(&b);
	return r;
}

/* Parse a credential that credential_is_random. Returns 0, or -1. */
static int
random_parse(const char *text, unsigned char salt[SALT_MAX], size_t *salt_len, unsigned char hash[HASH])
{
	const char *s = text + sizeof random_prefix - 1;
	ssize_t n = credential_field(&s, '$', salt, SALT_MAX);

	if (n < 0)
		return -1;
	*salt_len = (size_t)n;
	return credential_field(&s, '\0', hash, HASH) == HASH ? 0 : -1;
}

int
credential_fits(const char *text, const char *password, size_t len, bool *worked)
{
	unsigned char salt[SALT_MAX], want[HASH], got[HASH];
	struct credential_scram stored, computed;
	size_t salt_len;
	void *data = NULL;
	char *hash;
	int size = 0, r;

	if (credential_is_scram(text)) {
		if (credential_scram_parse(&stored, text, NULL) < 0)
			return 0;
		computed = stored;
		if (credential_scram_compute(&computed, password, len) < 0)
			return -1;
		*worked = true;
		r = CRYPTO_memcmp(computed.stored, stored.stored, stored.hash->size) == 0;
		explicit_bzero(&computed, sizeof computed);
		return r;
	}
	if (credential_is_random(text)) {
		if (random_parse(text, salt, &salt_len, want) < 0)
			return 0;
		if (credential_random_hash(got, salt, salt_len, password, len) < 0)
			return -1;
		return CRYPTO_memcmp(got, want, HASH) == 0;
	}
	if (*text != '$')
		return 0;
	errno = 0;
	hash = crypt_ra(password, text, &data, &size);
	*worked |= hash && *hash == '$';
	if (!hash)
		r = errno == ENOMEM ? -1 : 0;
	else
		r = *hash == '$' && strlen(hash) == strlen(text) && CRYPTO_memcmp(hash, text, strlen(text)) == 0;
	if (data)
		explicit_bzero(data, (size_t)size);
	free(data);
	return r;
}

bool
credential_is_valid(const char *s)
{
	unsigned char salt[SALT_MAX], hash[HASH];
	size_t n;

	if (credential_is_scram(s))
		return scram_is_valid(s);
	if (credential_is_random(s))
		return random_parse(s, salt, &n, hash) == 0;
	if (*s != '$' || strpbrk(s, " \t\n:;*!\\"))
		return false;
	/* Old methods are taken too, for sites that bring them along. A setting without its hash is shorter than 20. */
	return (crypt_checksalt(s) == CRYPT_SALT_OK || crypt_checksalt(s) == CRYPT_SALT_METHOD_LEGACY) && strlen(s) >= 20;
}
