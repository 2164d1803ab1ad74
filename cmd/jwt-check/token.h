/* ISC licence, see LICENSE. */
#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>

#include "msa/buf.h"

/*
 * A signed JWT (RFC 7519, RFC 8725) as the access token of one user. José (libjose) checks the signature. All else is
 * checked here: libjose takes any algorithm that the token names and the key fits.
 */

/* Algorithms of signatures (RFC 7518 3.1), as bits. */
enum {
	TOKEN_ASYMMETRIC = 0x1ff, /* RS, PS and ES, with 256, 384 and 512 */
	TOKEN_SYMMETRIC = 0xe00,  /* HS */
	TOKEN_USUAL = 0x041,      /* RS256 and ES256 */
	TOKEN_HS256 = 0x200,
};

enum {
	TOKEN_AUDIENCES = 16,
	TOKEN_SECRET_MIN = 32, /* octets of a secret: RFC 7518 3.2, with HS256 */
};

/* What a token must say. All is borrowed. */
struct token_rules {
	const char *issuer;
	const char *audience[TOKEN_AUDIENCES]; /* one of them */
	size_t naudience;
	const char *claim;    /* the one that has the user's name */
	const char *realm;    /* the domain of a name that has none; NULL: none */
	const char *scope;    /* NULL, or words that must all be there */
	unsigned algorithms;  /* bits: of one kind, as the keys are */
	long long leeway;     /* seconds that clocks may differ */
	long long now;        /* the time */
	const struct buf *keys;   /* a JWK set or a JWK (RFC 7517), or a public key or certificate in PEM; or */
	const struct buf *secret; /* the octets of the secret; the other one is NULL */
};

enum token_verdict {
	TOKEN_RIGHT,
	TOKEN_NO_JWT,
	TOKEN_HEADER,
	TOKEN_ALGORITHM,
	TOKEN_NO_KEY,
	TOKEN_SIGNATURE,
	TOKEN_CLAIMS,
	TOKEN_ISSUER,
	TOKEN_AUDIENCE,
	TOKEN_NO_EXPIRY,
	TOKEN_EXPIRED,
	TOKEN_EARLY,
	TOKEN_BOUND,
	TOKEN_SCOPE,
	TOKEN_NAMELESS,
	TOKEN_UNVERIFIED,
	TOKEN_OTHER_USER,
	TOKEN_BAD_KEYS, /* the keys cannot be used, so nothing is known */
	TOKEN_TROUBLE,  /* out of memory, likewise */
	TOKEN_VERDICTS,
};

/* Returns the verdict in words, for a log. */
const char *token_reason(enum token_verdict v);

/* Returns the bit of the algorithm name[0..len), or 0. */
unsigned token_algorithm(const char *name, size_t len);

/* Check that token is valid now by the rules, and that it is the user's: a name in lower case, as authd(8) has them. */
enum token_verdict token_check(const struct token_rules *rules, const char *user, const char *token);

#endif
