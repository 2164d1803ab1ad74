/* ISC licence, see LICENSE. */
#include "auth/userdb_name.h"

#include "base/username.h"
#include "smtp/addr.h"

int
userdb_name(char *name, const char *given, size_t len)
{
	size_t i, at = len;

	if (len < 1 || len > USERDB_NAME_MAX || !addr_is_utf8(given, len) || given[0] == ' ' || given[len - 1] == ' ')
		return -1;
	for (i = 0; i < len; i++) {
		if ((unsigned char)given[i] < ' ' || given[i] == 127)
			return -1;
		name[i] = given[i];
		if (given[i] == '@')
			at = i;
	}
	username_fold(name + at, name + at, len - at);
	name[len] = '\0';
	return 0;
}
