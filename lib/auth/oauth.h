/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_OAUTH_H
#define MSA_AUTH_OAUTH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The messages of the two mechanisms that carry a token of OAuth: OAUTHBEARER (RFC 7628) and XOAUTH2, its older form,
 * which has no RFC. What a token says is the verifier's matter (checkpassword.h).
 */
enum oauth_form { OAUTH_BEARER, OAUTH_XOAUTH2 };

enum {
	OAUTH_USER_MAX = 1020,  /* octets of a user's name before it is prepared: 255 characters */
	OAUTH_VALUE_MAX = 400,  /* octets of a scope or a URL in an error */
	OAUTH_ERROR_MAX = 1000, /* octets of an error, with a NUL */
};

enum oauth_result {
	OAUTH_TOKEN,
	OAUTH_NO_TOKEN, /* the message is valid, but has none: the client asks where one can be had */
	OAUTH_MALFORMED,
};

/* A client's message. */
struct oauth {
	char user[OAUTH_USER_MAX + 1]; /* the authorization identity, or the user of XOAUTH2; as it was sent */
	size_t user_len;               /* 0: none */
	const char *token;             /* in the message, token_len octets without a NUL after them */
	size_t token_len;
};

/* Parse a message of len octets. o is set if the result is OAUTH_TOKEN. */
enum oauth_result oauth_parse(struct oauth *o, enum oauth_form form, const char *message, size_t len);

/* Returns true if s can stand in an error: as the scopes that a token needs, and as the URL of a configuration. */
bool oauth_is_scope(const char *s);
bool oauth_is_url(const char *s);

/*
 * Write the error that a client gets before the reply (RFC 7628 3.2.2). r says what was wrong with its message;
 * OAUTH_TOKEN: the token. scope and url are NULL or as above; XOAUTH2 has no url. Returns the length.
 */
size_t oauth_error(char json[OAUTH_ERROR_MAX], enum oauth_form form, enum oauth_result r, const char *scope,
    const char *url);

#endif
