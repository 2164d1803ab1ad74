/* ISC licence, see LICENSE. */
#include "base/username.h"

#include <string.h>

void
username_fold(char *out, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
}

bool
username_is_label(const char *s, size_t n)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t i;

	for (i = 0; i < n && memchr(good, s[i], sizeof good - 1); i++)
		;
	return n > 0 && n <= USERNAME_LABEL_MAX && i == n;
}

size_t
username_before_label(const char *name, size_t n)
{
	size_t at = n;

	while (at > 0 && name[at - 1] != '/')
		at--;
	return at > 1 && username_is_label(name + at, n - at) ? at - 1 : n;
}
