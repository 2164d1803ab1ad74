/* ISC licence, see LICENSE. */
#include "auth/saslprep.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <stringprep.h>

static bool
is_printable_ascii(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || (unsigned char)s[i] > '~')
			return false;
	return true;
}

ssize_t
saslprep(char *out, const char *given, size_t len)
{
	int r = STRINGPREP_OK;

	if (len >= SASLPREP_MAX || memchr(given, '\0', len)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(out, given, len);
	out[len] = '\0';
	if (!is_printable_ascii(out, len)) /* the library's own buffers are not wiped: most passwords stay away from them */
		r = stringprep(out, SASLPREP_MAX, 0, stringprep_saslprep);
	if (r != STRINGPREP_OK || !*out) {
		explicit_bzero(out, SASLPREP_MAX);
		errno = r == STRINGPREP_MALLOC_ERROR ? ENOMEM : EINVAL;
		return -1;
	}
	return (ssize_t)strlen(out);
}
