/* ISC licence, see LICENSE. */
#include "keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/file.h"

enum {
	FILE_MAX = 65536,         /* octets of a key's file */
	SIGNATURE_MAX = KEY_BITS_MAX / 8,
	ED25519_PUBLIC = 32,
};

/* A key with a passphrase cannot be used: nobody is there to be asked. */
static int
no_passphrase(char *out, int size, int rwflag, void *arg)
{
	(void)out;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static EVP_PKEY *
parse(const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(text->p, (int)text->len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

/* Read the key's file. Returns NULL with the reason in *why. */
static EVP_PKEY *
read_file(const char *path, const char **why)
{
	struct buf text = { 0 };
	EVP_PKEY *pkey = NULL;
	int fd = file_open_secret(path, why);

	if (fd < 0)
		return NULL;
	if (file_slurp(fd, FILE_MAX, &text) < 0)
		*why = strerror(errno);
	else if (!(pkey = parse(&text)))
		*why = "not a private key in PEM, or one with a passphrase";
	close(fd);
	buf_wipe(&text);
	return pkey;
}

/* Does the public half of the key accept what the private half signs? */
static bool
is_pair(const struct keys *k, const struct key *key)
{
	static const unsigned char digest[KEY_DIGEST] = { 1 };
	unsigned char signature[SIGNATURE_MAX + 3];
	struct buf out = { 0 };
	EVP_PKEY_CTX *ctx = NULL;
	EVP_MD_CTX *md = NULL;
	ssize_t n = -1;
	bool good = false;

	if (key_sign(k, key, digest, &out) == 0)
		n = base64_decode(signature, out.p, out.len);
	if (n > 0 && key->is_rsa) {
		ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
		good = ctx && EVP_PKEY_verify_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, k->sha256) > 0 &&
		    EVP_PKEY_verify(ctx, signature, (size_t)n, digest, sizeof digest) == 1;
	} else if (n > 0) {
		md = EVP_MD_CTX_new();
		good = md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) > 0 &&
		    EVP_DigestVerify(md, signature, (size_t)n, digest, sizeof digest) == 1;
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_MD_CTX_free(md);
	buf_free(&out);
	ERR_clear_error();
	return good;
}

/* Returns NULL, or why the key cannot be used. */
static const char *
examine(const struct keys *k, struct key *key)
{
	int type = EVP_PKEY_get_base_id(key->pkey);

	key->is_rsa = type == EVP_PKEY_RSA;
	if (!key->is_rsa && type != EVP_PKEY_ED25519)
		return "neither an RSA nor an Ed25519 key";
	if (key->is_rsa && key_bits(key) < KEY_BITS_MIN)
		return "an RSA key of less than 1024 bits";
	if (key->is_rsa && key_bits(key) > KEY_BITS_MAX)
		return "an RSA key of more than 4096 bits, which verifiers need not know";
	return is_pair(k, key) ? NULL : "the key is damaged";
}

static int
make_room(struct keys *k)
{
	size_t cap = k->cap ? k->cap * 2 : 8;
	struct key *v;

	/* Without memory for its default context libcrypto crashes in the first function that looks for an algorithm. */
	if (!k->sha256 &&
	    (!OSSL_LIB_CTX_get0_global_default() || !(k->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL))))
		return -1;
	if (k->n < k->cap)
		return 0;
	v = realloc(k->v, cap * sizeof *v);
	if (!v)
		return -1;
	k->v = v;
	k->cap = cap;
	return 0;
}

const char *
keys_add(struct keys *k, const char *path, size_t n)
{
	struct key key = { 0 };
	const char *why = "out of memory";

	if (keys_find(k, path, n))
		return NULL;
	if (make_room(k) < 0 || !(key.path = strndup(path, n)))
		return why;
	key.pkey = read_file(key.path, &why);
	if (key.pkey && !(why = examine(k, &key))) {
		k->v[k->n++] = key;
		return NULL;
	}
	EVP_PKEY_free(key.pkey);
	free(key.path);
	return why;
}

const struct key *
keys_find(const struct keys *k, const char *path, size_t n)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (strncmp(k->v[i].path, path, n) == 0 && k->v[i].path[n] == '\0')
			return &k->v[i];
	return NULL;
}

void
keys_free(struct keys *k)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		EVP_PKEY_free(k->v[i].pkey); /* which wipes it */
		free(k->v[i].path);
	}
	free(k->v);
	EVP_MD_free(k->sha256);
	*k = (struct keys){ 0 };
}

const char *
key_algorithm(const struct key *key)
{
	return key->is_rsa ? "rsa-sha256" : "ed25519-sha256";
}

int
key_bits(const struct key *key)
{
	return EVP_PKEY_get_bits(key->pkey);
}

/* RFC 6376 3.3.1: RSA with the padding of PKCS #1 1.5. Returns 1, or what libcrypto returns. */
static int
sign_rsa(const struct keys *k, const struct key *key, const unsigned char *digest, unsigned char *out, size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
	int r = ctx && EVP_PKEY_sign_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, k->sha256) > 0 && EVP_PKEY_sign(ctx, out, n, digest, KEY_DIGEST) > 0;

	EVP_PKEY_CTX_free(ctx);
	return r;
}

/* RFC 8463 3: the message that Ed25519 signs is the digest. */
static int
sign_ed25519(const struct key *key, const unsigned char *digest, unsigned char *out, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) > 0 &&
	    EVP_DigestSign(ctx, out, n, digest, KEY_DIGEST) > 0;

	EVP_MD_CTX_free(ctx);
	return r;
}

int
key_sign(const struct keys *k, const struct key *key, const unsigned char digest[KEY_DIGEST], struct buf *out)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t n = sizeof signature;

	if (key->is_rsa ? sign_rsa(k, key, digest, signature, &n) : sign_ed25519(key, digest, signature, &n))
		return base64_encode(out, signature, n);
	ERR_clear_error();
	errno = EIO;
	return -1;
}

int
key_record(const struct key *key, struct buf *out)
{
	unsigned char raw[ED25519_PUBLIC], *der = NULL;
	size_t n = sizeof raw;
	int r, len;

	if (buf_printf(out, "v=DKIM1; k=%s; p=", key->is_rsa ? "rsa" : "ed25519") < 0)
		return -1;
	if (!key->is_rsa && EVP_PKEY_get_raw_public_key(key->pkey, raw, &n) > 0)
		return base64_encode(out, raw, n);
	if (key->is_rsa && (len = i2d_PUBKEY(key->pkey, &der)) > 0) {
		r = base64_encode(out, der, (size_t)len);
		OPENSSL_free(der);
		return r;
	}
	ERR_clear_error();
	errno = EIO;
	return -1;
}
