/* ISC licence, see LICENSE. */
#include "mail/taglist.h"

#include <string.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copy text[begin..end) without white space. Returns as taglist_find. */
static bool
copy(const char *text, size_t begin, size_t end, char *out, size_t cap)
{
	size_t n = 0;

	for (; begin < end; begin++) {
		if (is_space(text[begin]))
			continue;
		if (text[begin] == '\0' || n + 1 >= cap) {
			*out = '\0';
			return false;
		}
		out[n++] = text[begin];
	}
	out[n] = '\0';
	return true;
}

bool
taglist_find(const char *text, size_t begin, size_t end, const char *name, char *out, size_t cap)
{
	size_t len = strlen(name), next, i;

	*out = '\0';
	for (; begin < end; begin = next + 1) {
		const char *semicolon = memchr(text + begin, ';', end - begin);

		next = semicolon ? (size_t)(semicolon - text) : end;
		while (begin < next && is_space(text[begin]))
			begin++;
		if (next - begin <= len || memcmp(text + begin, name, len) != 0)
			continue;
		for (i = begin + len; i < next && is_space(text[i]); i++)
			;
		if (i < next && text[i] == '=')
			return copy(text, i + 1, next, out, cap);
	}
	return false;
}
