/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_CERTMAP_H
#define MSA_AUTH_CERTMAP_H

#include "auth/userdb.h"
#include "base/table.h"
#include "chain/facts.h"

/*
 * The user of a client certificate, for SASL EXTERNAL (RFC 4422 appendix A). The table's key is SSL_PEER_CERT_HASH,
 * "SHA256:" and 64 hexadecimal digits in lower case; its value is the user's name.
 *
 * Only the hash counts. tlsd has verified that one of its authorities signed the certificate, but any of these
 * authorities can sign a certificate with the same subject.
 */
enum certmap_result {
	CERTMAP_NOBODY,  /* no TLS, no certificate, or a certificate that is not in the table */
	CERTMAP_USER,
	CERTMAP_DAMAGED, /* the table cannot be read, so nothing is known */
	CERTMAP_NO_NAME, /* the table's value is not a valid user name */
};

/*
 * Look up the client's certificate. With CERTMAP_USER, user gets the name in the form of userdb_name; it has room for
 * USERDB_NAME_MAX + 1.
 */
enum certmap_result certmap_find(struct table *certs, const struct facts *f, char *user);

/* The members of struct usertable for this table, whose keys have capital letters: bad, what, and is_bad_key. */
const char *certmap_bad(const char *value, size_t n, size_t *len);
bool certmap_is_bad_key(const char *key, size_t n);
#define CERTMAP_ITEM "not a user's name"

#endif
