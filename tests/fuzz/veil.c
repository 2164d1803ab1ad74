/* ISC licence, see LICENSE. */
#include "tlsd/veil.h"

#include <string.h>

#include "fuzz.h"
#include "tlsd/starttls.h"

/* What the client gets of a stage's output, in pieces of the same size. */
static void
pass(const char *s, size_t size, size_t part, struct buf *all)
{
	struct veil v = { 0 };
	struct buf b = { 0 };
	size_t i, n;

	for (i = 0; i < size; i += n) {
		n = part < size - i ? part : size - i;
		MUST(buf_add(&b, s + i, n) == 0 && veil_pass(&v, &b, i + n == size) == 0);
		MUST(b.len <= i + n && buf_add(all, b.p, b.len) == 0);
		buf_clear(&b);
	}
	MUST(v.held.len == 0);
	veil_free(&v);
	buf_free(&b);
}

/* However the output is cut, the client gets the same: no list with STARTTLS, and no more than the stage said. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, parts = { 0 };
	const char *s, *end, *before = NULL;

	if (size < 1)
		return 0;
	pass((const char *)data + 1, size - 1, size, &whole);
	pass((const char *)data + 1, size - 1, data[0] % 32 + 1, &parts);
	MUST(whole.len == parts.len && (whole.len == 0 || memcmp(whole.p, parts.p, whole.len) == 0));
	MUST(whole.len <= size - 1);
	s = whole.len > 0 ? whole.p : "";
	end = s + whole.len;
	while (s < end) {
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		size_t n = lf ? (size_t)(lf - s) : (size_t)(end - s);

		if (n > 4 && n < 2000 && before && memcmp(before, "250-", 4) == 0)
			MUST(memcmp(s, "250", 3) != 0 || (s[3] != '-' && s[3] != ' ') || !starttls_is_keyword(s + 4, n - 4));
		before = n > 4 && n < 2000 ? s : NULL;
		s += n + (lf != NULL);
	}
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}
