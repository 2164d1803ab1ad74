/* ISC licence, see LICENSE. */
#include "auth/userdb_name.h"

#include <string.h>

#include "auth/saslprep.h"
#include "base/username.h"

int
userdb_name(char *name, const char *given, size_t len)
{
	char prepared[SASLPREP_MAX], *at;
	ssize_t n = saslprep(prepared, given, len);

	if (n < 1 || n > USERDB_NAME_MAX || prepared[0] == ' ' || prepared[n - 1] == ' ')
		return -1;
	memcpy(name, prepared, (size_t)n + 1);
	at = strrchr(name, '@');
	if (at)
		username_fold(at, at, strlen(at));
	return 0;
}
