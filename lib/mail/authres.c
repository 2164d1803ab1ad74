/* ISC licence, see LICENSE. */
#include "mail/authres.h"

#include <string.h>

/* Returns the position after white space and comments, which nest. */
static size_t
skip_cfws(const char *s, size_t i, size_t end)
{
	size_t depth = 0;

	for (; i < end; i++) {
		if (depth > 0 && s[i] == '\\' && i + 1 < end)
			i++;
		else if (s[i] == '(')
			depth++;
		else if (depth > 0)
			depth -= s[i] == ')';
		else if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n')
			break;
	}
	return i;
}

size_t
authres_id(const char *text, size_t begin, size_t end, char *id, size_t cap)
{
	size_t i = skip_cfws(text, begin, end), n = 0;
	char quote = '\0';

	if (i < end && text[i] == '"')
		quote = text[i++];
	for (; i < end && (quote ? text[i] != quote : !strchr(" \t\r\n;(", text[i])); i++) {
		if (quote && text[i] == '\\' && i + 1 < end)
			i++;
		if (n + 1 < cap)
			id[n++] = text[i];
	}
	if (quote && i == end)
		n = 0;
	else if (n > 0 && id[n - 1] == '.')
		n--;
	id[n] = '\0';
	return n;
}
