/* ISC licence, see LICENSE. */
#include "stage/next.h"

#include <string.h>

struct next
next_parse(char *const argv[])
{
	struct next next = { .how = NEXT_EXEC, .argv = argv };

	if (!argv[0])
		next.how = NEXT_NONE;
	else if (strcmp(argv[0], "call") == 0 && argv[1] && !argv[2]) {
		next.how = NEXT_CALL;
		next.path = argv[1];
	}
	return next;
}

int
next_split(struct next *next, char *words[NEXT_WORDS + 1], char *s)
{
	static const char blanks[] = " \t";
	size_t n = 0;

	for (s += strspn(s, blanks); *s; s += strspn(s, blanks)) {
		if (n == NEXT_WORDS)
			return -1;
		words[n++] = s;
		s += strcspn(s, blanks);
		if (*s)
			*s++ = '\0';
	}
	words[n] = NULL;
	*next = next_parse(words);
	return n > 0 ? 0 : -1;
}
