/* ISC licence, see LICENSE. */
#include "mail/relaxed.h"

#include <string.h>

#include "fuzz.h"
#include "mail/taglist.h"

static int
take(void *arg, const char *p, size_t n)
{
	MUST(n > 0);
	return buf_add(arg, p, n);
}

/* The canonical body, given in pieces of step octets. */
static void
body(struct buf *out, const char *text, size_t n, size_t step, bool lf)
{
	struct relaxed_body b = { .put = take, .arg = out, .lf = lf };
	size_t i;

	for (i = 0; i < n; i += step)
		MUST(relaxed_body_add(&b, text + i, n - i < step ? n - i : step) == 0);
	MUST(relaxed_body_end(&b) == 0);
}

static bool
is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

/* However a body is cut, its canonical form is one, which is canonical itself and ends with CR LF and no empty line. */
static void
try_body(const char *text, size_t n, bool lf)
{
	struct buf whole = { 0 }, pieces = { 0 }, again = { 0 };

	body(&whole, text, n, n + 1, lf);
	body(&pieces, text, n, 1 + n % 7, lf);
	MUST(is_same(&whole, &pieces));
	if (whole.len > 0) {
		body(&again, whole.p, whole.len, whole.len, lf);
		MUST(is_same(&whole, &again));
		MUST(whole.len > 2 && memcmp(whole.p + whole.len - 2, "\r\n", 2) == 0);
		MUST(whole.len < 4 || memcmp(whole.p + whole.len - 4, "\r\n\r\n", 4) != 0);
	}
	buf_free(&whole);
	buf_free(&pieces);
	buf_free(&again);
}

static void
try_field(const char *text, const struct field *f)
{
	struct buf once = { 0 }, twice = { 0 };
	struct field again;
	size_t pos = 0;
	char value[64];

	MUST(relaxed_field(&once, text, f) == 0 && once.len <= f->end - f->name + 2);
	MUST(header_next(once.p, once.len, &pos, &again) == 1 && pos == once.len);
	MUST(relaxed_field(&twice, once.p, &again) == 0 && is_same(&once, &twice));
	if (taglist_find(text, f->value, f->end, "d", value, sizeof value))
		MUST(strlen(value) < sizeof value && strcspn(value, " \t\r\n;") == strlen(value));
	else
		MUST(*value == '\0');
	buf_free(&once);
	buf_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct field f;
	size_t pos = 0;
	int r;

	while ((r = header_next(text, size, &pos, &f)) != 0)
		if (r > 0)
			try_field(text, &f);
	try_body(text, size, false);
	try_body(text, size, true);
	return 0;
}
