/* ISC licence, see LICENSE. */
#include "smtp/ehlo.h"

#include <string.h>

#include "fuzz.h"

/* Lines of a next hop's EHLO reply; what is said of them is understood in the same way. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size;
	struct ehlo e = { 0 }, again = { 0 };
	struct buf out = { 0 };
	char *p;

	while (s < end) {
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		size_t n = lf ? (size_t)(lf - s) : (size_t)(end - s);

		ehlo_take(&e, s, n);
		s += n + (lf != NULL);
	}
	MUST(e.size >= 0 && memchr(e.auth, '\0', sizeof e.auth));
	MUST(ehlo_keywords(&out, &e) == 0);
	for (p = out.p; p && *p; p = strchr(p, '\n') + 1)
		ehlo_take(&again, p, strcspn(p, "\n"));
	MUST(again.caps == e.caps && again.size == e.size);
	buf_clear(&out);
	MUST(ehlo_reply(&out, &e, "mx.example.net") == 0);
	buf_free(&out);
	return 0;
}
