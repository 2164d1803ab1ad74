/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_CERTMAP_H
#define MSA_AUTH_CERTMAP_H

#include "auth/userdb.h"
#include "base/table.h"
#include "chain/facts.h"

/*
 * For SASL EXTERNAL (RFC 4422 appendix A): whom the certificate stands for that the client showed. The table's key is
 * SSL_PEER_CERT_HASH, "SHA256:" and 64 hexadecimal digits in lower case; its value the user's name.
 *
 * The hash alone counts. The stage that does TLS has verified that one of its authorities signed the certificate; the
 * subject is but what somebody wrote into it, and another authority of these may have written the same.
 */
enum certmap_result {
	CERTMAP_NOBODY,  /* no TLS, no certificate, or none that the table has */
	CERTMAP_USER,
	CERTMAP_DAMAGED, /* the table cannot be read: nobody knows */
	CERTMAP_NO_NAME, /* what the table has for it can be no user's name */
};

/* user has room for USERDB_NAME_MAX + 1 and gets the name, as userdb_name makes it, where there is CERTMAP_USER. */
enum certmap_result certmap_find(struct table *certs, const struct facts *f, char *user);

#endif
