/* ISC licence, see LICENSE. */
#include "base/username.h"

void
username_fold(char *out, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
}
