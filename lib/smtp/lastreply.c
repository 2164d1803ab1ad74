/* ISC licence, see LICENSE. */
#include "smtp/lastreply.h"

#include <string.h>

static void
head_add(struct lastreply *t, const char *s, size_t n)
{
	if (n > sizeof t->head - t->head_len)
		n = sizeof t->head - t->head_len;
	memcpy(t->head + t->head_len, s, n);
	t->head_len += (unsigned char)n;
}

void
lastreply_note(struct lastreply *t, const char *s, size_t n)
{
	size_t lf = n, start;

	while (lf > 0 && s[lf - 1] != '\n')
		lf--;
	if (lf > 0) {
		for (start = lf - 1; start > 0 && s[start - 1] != '\n'; start--)
			;
		if (start > 0)
			t->head_len = 0;
		head_add(t, s + start, lf - 1 - start);
		memset(t->last, 0, sizeof t->last);
		memcpy(t->last, t->head, t->head_len);
		t->head_len = 0;
	}
	head_add(t, s + lf, n - lf);
}

bool
lastreply_is_goodbye(const struct lastreply *t)
{
	return memcmp(t->last, "221", 3) == 0 || memcmp(t->last, "421", 3) == 0;
}

bool
lastreply_is_complete(const struct lastreply *t)
{
	return t->head_len == 0 && t->last[3] != '-';
}
