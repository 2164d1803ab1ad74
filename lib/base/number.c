/* ISC licence, see LICENSE. */
#include "base/number.h"

#include <errno.h>
#include <string.h>

int
number_parse(const char *s, long long least, long long most, long long *n)
{
	long long value = 0;

	if (!*s || s[strspn(s, "0123456789")]) {
		errno = EINVAL;
		return -1;
	}
	for (; *s; s++) {
		int digit = *s - '0';

		if (digit > most || value > (most - digit) / 10) { /* value * 10 + digit would be over most */
			errno = ERANGE;
			return -1;
		}
		value = value * 10 + digit;
	}
	if (value < least) {
		errno = ERANGE;
		return -1;
	}
	*n = value;
	return 0;
}
