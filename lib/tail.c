/* ISC licence, see LICENSE. */
#include "tail.h"

#include <string.h>

static void
head_add(struct tail *t, const char *s, size_t n)
{
	if (n > sizeof t->head - t->head_len)
		n = sizeof t->head - t->head_len;
	memcpy(t->head + t->head_len, s, n);
	t->head_len += (unsigned char)n;
}

void
tail_note(struct tail *t, const char *s, size_t n)
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
tail_is_goodbye(const struct tail *t)
{
	return memcmp(t->last, "221", 3) == 0 || memcmp(t->last, "421", 3) == 0;
}

bool
tail_is_complete(const struct tail *t)
{
	return t->head_len == 0 && t->last[3] != '-';
}
