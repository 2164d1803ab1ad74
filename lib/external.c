/* ISC licence, see LICENSE. */
#include "external.h"

#include <string.h>

static const char prefix[] = "SHA256:";

enum { HASH_LEN = sizeof prefix - 1 + 64 };

enum external_result
external_find(struct table *certs, const struct facts *f, char *user)
{
	const char *hash = facts_get(f, "SSL_PEER_CERT_HASH"), *value;
	size_t len;
	int r;

	/* What is no hash is no key either, whatever else the table may hold. */
	if (!facts_is_tls(f) || !hash || strlen(hash) != HASH_LEN || strncmp(hash, prefix, sizeof prefix - 1) != 0)
		return EXTERNAL_NOBODY;
	r = table_get(certs, hash, HASH_LEN, &value, &len);
	if (r <= 0)
		return r < 0 ? EXTERNAL_DAMAGED : EXTERNAL_NOBODY;
	return userdb_name(user, value, len) < 0 ? EXTERNAL_NO_NAME : EXTERNAL_USER;
}
