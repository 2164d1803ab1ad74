/* ISC licence, see LICENSE. */
#include "token.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <jose/openssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/username.h"

enum {
	PARTS = 3,
	RSA_OCTETS_MIN = 256, /* of a modulus: RFC 7518 3.3 */
	NAME_MAX_OCTETS = 255,
};

static const struct algorithm {
	const char *name, *type, *curve; /* curve NULL: none */
} algorithms[] = {
	{ "RS256", "RSA", NULL },
	{ "RS384", "RSA", NULL },
	{ "RS512", "RSA", NULL },
	{ "PS256", "RSA", NULL },
	{ "PS384", "RSA", NULL },
	{ "PS512", "RSA", NULL },
	{ "ES256", "EC", "P-256" },
	{ "ES384", "EC", "P-384" },
	{ "ES512", "EC", "P-521" },
	{ "HS256", "oct", NULL },
	{ "HS384", "oct", NULL },
	{ "HS512", "oct", NULL },
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

const char *
token_reason(enum token_verdict v)
{
	static const char *const reason[TOKEN_VERDICTS] = {
		[TOKEN_RIGHT] = "none",
		[TOKEN_NO_JWT] = "not a signed JWT",
		[TOKEN_HEADER] = "unusable header",
		[TOKEN_ALGORITHM] = "algorithm is not allowed",
		[TOKEN_NO_KEY] = "no such key",
		[TOKEN_SIGNATURE] = "wrong signature",
		[TOKEN_CLAIMS] = "unusable claims",
		[TOKEN_ISSUER] = "another issuer",
		[TOKEN_AUDIENCE] = "another audience",
		[TOKEN_NO_EXPIRY] = "no expiry",
		[TOKEN_EXPIRED] = "expired",
		[TOKEN_EARLY] = "not valid yet",
		[TOKEN_BOUND] = "bound to a key of the client",
		[TOKEN_SCOPE] = "scope is missing",
		[TOKEN_NAMELESS] = "no user name",
		[TOKEN_UNVERIFIED] = "address is not verified",
		[TOKEN_OTHER_USER] = "another user",
		[TOKEN_BAD_KEYS] = "keys cannot be used",
		[TOKEN_TROUBLE] = "out of memory",
	};

	return reason[v];
}

unsigned
token_algorithm(const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < ALGORITHMS; i++)
		if (strlen(algorithms[i].name) == len && strncmp(algorithms[i].name, name, len) == 0)
			return 1u << i;
	return 0;
}

/* Returns the string that the object has for a key, or NULL: none, or another type. */
static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/*
 * Keys.
 */

/* Read a public key, or that of a certificate, in PEM. Returns a JWK, or NULL. */
static json_t *
from_pem(jose_cfg_t *cfg, const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(text->p, (int)text->len);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	X509 *cert = NULL;
	json_t *jwk;

	if (bio && !key && BIO_reset(bio) == 1 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		key = X509_get_pubkey(cert);
	jwk = key ? jose_openssl_jwk_from_EVP_PKEY(cfg, key) : NULL;
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return jwk;
}

/* Read the keys. Returns an array of at least one JWK, or NULL: the file has no JWK or cannot be read. */
static json_t *
read_keys(jose_cfg_t *cfg, const struct token_rules *rules)
{
	json_t *all, *keys, *list = NULL;

	if (rules->secret)
		return json_pack("[{s:s,s:o}]", "kty", "oct", "k", jose_b64_enc(rules->secret->p, rules->secret->len));
	if (rules->keys->len == 0)
		return NULL;
	if (rules->keys->p[strspn(rules->keys->p, " \t\r\n")] != '{')
		return (all = from_pem(cfg, rules->keys)) ? json_pack("[o]", all) : NULL;
	all = json_loadb(rules->keys->p, rules->keys->len, JSON_REJECT_DUPLICATES, NULL);
	keys = json_object_get(all, "keys");
	if (json_is_array(keys))
		list = json_incref(keys);
	else if (text_of(all, "kty"))
		list = json_pack("[O]", all);
	json_decref(all);
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return NULL;
}

/* Returns true if the key can be one for a signature by this algorithm. */
static bool
fits(const json_t *key, const struct algorithm *a)
{
	const char *type = text_of(key, "kty"), *curve = text_of(key, "crv"), *use = text_of(key, "use"),
	    *alg = text_of(key, "alg");

	if (!type || strcmp(type, a->type) != 0 || (a->curve && (!curve || strcmp(curve, a->curve) != 0)))
		return false;
	if ((use && strcmp(use, "sig") != 0) || (alg && strcmp(alg, a->name) != 0))
		return false;
	return strcmp(type, "RSA") != 0 || jose_b64_dec(json_object_get(key, "n"), NULL, 0) >= RSA_OCTETS_MIN;
}

/*
 * Find the key that the token's header names. Without a name it must be the only one that fits. A key that has no name
 * and is alone fits whatever the token's name for it is.
 */
static const json_t *
find_key(const json_t *keys, const struct algorithm *a, const char *kid)
{
	const json_t *found = NULL;
	size_t i, n = json_array_size(keys);

	for (i = 0; i < n; i++) {
		const json_t *key = json_array_get(keys, i);
		const char *name = text_of(key, "kid");

		if (!fits(key, a) || (kid && !(name ? strcmp(name, kid) == 0 : n == 1)))
			continue;
		if (found)
			return NULL;
		found = key;
	}
	return found;
}

/*
 * The signature.
 */

struct part {
	const char *p;
	size_t len;
};

/* Split the compact form (RFC 7515 7.1). Returns 0, or -1: it is something else. */
static int
split(struct part part[PARTS], const char *token)
{
	static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	int i;

	for (i = 0; i < PARTS; i++) {
		part[i] = (struct part){ token, strspn(token, base64url) };
		token += part[i].len;
		if (part[i].len == 0 || *token != (i < PARTS - 1 ? '.' : '\0'))
			return -1;
		token++;
	}
	return 0;
}

/* Returns the object that a part holds, or NULL. Names that stand twice are refused: readers differ about them. */
static json_t *
load(const struct part *part)
{
	size_t n = jose_b64_dec_buf(NULL, part->len, NULL, 0);
	char *text = n > 0 && n != SIZE_MAX ? malloc(n) : NULL;
	json_t *object = NULL;

	if (text && jose_b64_dec_buf(part->p, part->len, text, n) == n)
		object = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* Returns true if the type, where the header has one, is that of an access token (RFC 9068 2.1) or of any JWT. */
static bool
has_good_type(const json_t *header)
{
	static const char application[] = "application/";
	const char *type = text_of(header, "typ");

	if (!type)
		return !json_object_get(header, "typ");
	if (strncasecmp(type, application, sizeof application - 1) == 0)
		type += sizeof application - 1;
	return strcasecmp(type, "JWT") == 0 || strcasecmp(type, "at+jwt") == 0;
}

/* Check the header, and find the algorithm and the key. What must be understood (crit) is not. */
static enum token_verdict
judge_header(const struct token_rules *rules, const json_t *header, const json_t *keys, const json_t **key)
{
	const char *alg = text_of(header, "alg"), *kid = text_of(header, "kid");
	unsigned bit = alg ? token_algorithm(alg, strlen(alg)) : 0, i = 0;

	if (!alg || (json_object_get(header, "kid") && !kid) || json_object_get(header, "crit") ||
	    json_object_get(header, "b64") || !has_good_type(header))
		return TOKEN_HEADER;
	if (!(bit & rules->algorithms))
		return TOKEN_ALGORITHM;
	while (bit != 1u << i)
		i++;
	*key = find_key(keys, &algorithms[i], kid);
	return *key ? TOKEN_RIGHT : TOKEN_NO_KEY;
}

static enum token_verdict
judge_signature(jose_cfg_t *cfg, const struct part part[PARTS], const json_t *key)
{
	json_t *jws = json_pack("{s:s%,s:s%,s:s%}", "protected", part[0].p, part[0].len, "payload", part[1].p, part[1].len,
	    "signature", part[2].p, part[2].len);
	bool right = jws && jose_jws_ver(cfg, jws, NULL, key, false);

	json_decref(jws);
	return !jws ? TOKEN_TROUBLE : right ? TOKEN_RIGHT : TOKEN_SIGNATURE;
}

/*
 * The claims.
 */

/* Returns true if value, a string or an array of strings, has the word; is_list: a string is words between blanks. */
static bool
has_word(const json_t *value, const char *word, size_t len, bool is_list)
{
	const char *s = json_string_value(value);
	size_t i, n;

	if (!s) {
		for (i = 0; i < json_array_size(value); i++) {
			s = json_string_value(json_array_get(value, i));
			if (s && strlen(s) == len && strncmp(s, word, len) == 0)
				return true;
		}
		return false;
	}
	if (!is_list)
		return strlen(s) == len && strncmp(s, word, len) == 0;
	for (; *s; s += n + (s[n] == ' ')) {
		n = strcspn(s, " ");
		if (n == len && strncmp(s, word, len) == 0)
			return true;
	}
	return false;
}

static bool
is_for_us(const struct token_rules *rules, const json_t *claims)
{
	size_t i;

	for (i = 0; i < rules->naudience; i++)
		if (has_word(json_object_get(claims, "aud"), rules->audience[i], strlen(rules->audience[i]), false))
			return true;
	return false;
}

/* Returns true if the token has all scopes that are wanted: in scope (RFC 8693 4.2), or in scp of some servers. */
static bool
has_scope(const struct token_rules *rules, const json_t *claims)
{
	const json_t *scope = json_object_get(claims, "scope");
	const char *p;
	size_t n;

	if (!scope)
		scope = json_object_get(claims, "scp");
	for (p = rules->scope ? rules->scope : ""; *p; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (n > 0 && !has_word(scope, p, n, true))
			return false;
	}
	return true;
}

/* The times (RFC 7519 4.1.4 to 4.1.6). A token without an end is refused: nobody could ever take it back. */
static enum token_verdict
judge_times(const struct token_rules *rules, const json_t *claims)
{
	static const char *const begins[] = { "nbf", "iat" };
	const json_t *end = json_object_get(claims, "exp");
	double now = (double)rules->now, leeway = (double)rules->leeway;
	int i;

	if (!end)
		return TOKEN_NO_EXPIRY;
	if (!json_is_number(end))
		return TOKEN_CLAIMS;
	if (now >= json_number_value(end) + leeway)
		return TOKEN_EXPIRED;
	for (i = 0; i < 2; i++) {
		const json_t *begin = json_object_get(claims, begins[i]);

		if (begin && !json_is_number(begin))
			return TOKEN_CLAIMS;
		if (begin && now + leeway < json_number_value(begin))
			return TOKEN_EARLY;
	}
	return TOKEN_RIGHT;
}

/* Returns true if the token's name for its user is that of this one. */
static bool
is_name_of(const char *name, const char *user, const char *realm)
{
	char folded[NAME_MAX_OCTETS + 1];
	size_t n = strlen(name), r = realm && !strchr(name, '@') ? strlen(realm) + 1 : 0;

	if (n == 0 || n + r > NAME_MAX_OCTETS || strlen(user) != n + r)
		return false;
	memcpy(folded, name, n);
	if (r > 0) {
		folded[n] = '@';
		memcpy(folded + n + 1, realm, r - 1);
	}
	username_fold(folded, folded, n + r);
	return memcmp(folded, user, n + r) == 0;
}

/* An address that its user has only typed, which the server of tokens says so, is not the user's. */
static bool
is_verified(const char *claim, const json_t *claims)
{
	const json_t *verified = strcmp(claim, "email") == 0 ? json_object_get(claims, "email_verified") : NULL;
	const char *text = json_string_value(verified);

	return !verified || json_is_true(verified) || (text && strcmp(text, "true") == 0);
}

static enum token_verdict
judge_claims(const struct token_rules *rules, const char *user, const json_t *claims)
{
	const char *issuer = text_of(claims, "iss"), *name = text_of(claims, rules->claim);
	enum token_verdict v;

	if (!issuer || strcmp(issuer, rules->issuer) != 0)
		return TOKEN_ISSUER;
	if (!is_for_us(rules, claims))
		return TOKEN_AUDIENCE;
	v = judge_times(rules, claims);
	if (v != TOKEN_RIGHT)
		return v;
	if (json_object_get(claims, "cnf")) /* RFC 7800: it is no bearer's, and we cannot ask for the proof */
		return TOKEN_BOUND;
	if (!has_scope(rules, claims))
		return TOKEN_SCOPE;
	if (!name)
		return TOKEN_NAMELESS;
	if (!is_verified(rules->claim, claims))
		return TOKEN_UNVERIFIED;
	return is_name_of(name, user, rules->realm) ? TOKEN_RIGHT : TOKEN_OTHER_USER;
}

/* Without this function libjose would write its errors to standard error. */
static void
log_nothing(void *misc, const char *file, int line, uint64_t err, const char *fmt, va_list ap)
{
	(void)misc;
	(void)file;
	(void)line;
	(void)err;
	(void)fmt;
	(void)ap;
}

enum token_verdict
token_check(const struct token_rules *rules, const char *user, const char *token)
{
	jose_cfg_t *cfg = jose_cfg();
	json_t *keys, *header = NULL, *claims = NULL;
	const json_t *key = NULL;
	struct part part[PARTS];
	enum token_verdict v = TOKEN_RIGHT;

	if (!cfg)
		return TOKEN_TROUBLE;
	jose_cfg_set_err_func(cfg, log_nothing, NULL);
	keys = read_keys(cfg, rules);
	if (!keys)
		v = TOKEN_BAD_KEYS;
	else if (split(part, token) < 0)
		v = TOKEN_NO_JWT;
	else if (!(header = load(&part[0])))
		v = TOKEN_HEADER;
	if (v == TOKEN_RIGHT)
		v = judge_header(rules, header, keys, &key);
	if (v == TOKEN_RIGHT)
		v = judge_signature(cfg, part, key);
	if (v == TOKEN_RIGHT && !(claims = load(&part[1])))
		v = TOKEN_CLAIMS;
	if (v == TOKEN_RIGHT)
		v = judge_claims(rules, user, claims);
	json_decref(claims);
	json_decref(header);
	json_decref(keys);
	jose_cfg_decref(cfg);
	return v;
}
