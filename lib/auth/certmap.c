/* ISC licence, see LICENSE. */
#include "auth/certmap.h"

#include <string.h>

static const char prefix[] = "SHA256:";

enum { HASH_LEN = sizeof prefix - 1 + 64 };

enum certmap_result
certmap_find(struct table *certs, const struct facts *f, char *user)
{
	const char *hash = facts_get(f, "SSL_PEER_CERT_HASH"), *value;
	size_t len;
	int r;

	/* Look up nothing but a hash, whatever else the table may hold. */
	if (!facts_is_tls(f) || !hash || strlen(hash) != HASH_LEN || strncmp(hash, prefix, sizeof prefix - 1) != 0)
		return CERTMAP_NOBODY;
	r = table_get(certs, hash, HASH_LEN, &value, &len);
	if (r <= 0)
		return r < 0 ? CERTMAP_DAMAGED : CERTMAP_NOBODY;
	return userdb_name(user, value, len) < 0 ? CERTMAP_NO_NAME : CERTMAP_USER;
}
