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
	if (!facts_is_tls(f) || !hash || certmap_is_bad_key(hash, strlen(hash)))
		return CERTMAP_NOBODY;
	r = table_get(certs, hash, HASH_LEN, &value, &len);
	if (r <= 0)
		return r < 0 ? CERTMAP_DAMAGED : CERTMAP_NOBODY;
	return userdb_name(user, value, len) < 0 ? CERTMAP_NO_NAME : CERTMAP_USER;
}

bool
certmap_is_bad_key(const char *key, size_t n)
{
	size_t i = sizeof prefix - 1;

	if (n != HASH_LEN || memcmp(key, prefix, i) != 0)
		return true;
	while (i < n && ((key[i] >= '0' && key[i] <= '9') || (key[i] >= 'a' && key[i] <= 'f')))
		i++;
	return i < n;
}

const char *
certmap_bad(const char *value, size_t n, size_t *len)
{
	char name[USERDB_NAME_MAX + 1];

	*len = n;
	return userdb_name(name, value, n) < 0 ? value : NULL;
}
