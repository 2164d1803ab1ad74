/* ISC licence, see LICENSE. */
#include "mail/downgrade.h"

#include <string.h>

#include "fuzz.h"
#include "mail/header.h"

static size_t
count(const char *text, size_t n)
{
	struct field f;
	size_t pos = 0, fields = 0;

	while (header_next(text, n, &pos, &f) != 0)
		fields++;
	return fields;
}

/* The result has as many fields, is not longer than encoding makes it, and does not change again. */
static void
try(const char *text, size_t n, bool keeps_utf8, const char *charset)
{
	struct downgrade d = { .keeps_utf8 = keeps_utf8, .charset = charset, .eol = "\r\n" }, again = d;

	switch (downgrade(&d, text, n)) {
	case DOWNGRADE_SAME:
		break;
	case DOWNGRADE_CHANGED:
		MUST(d.fields.len > 0 && d.text.len >= 1);
		MUST(count(d.text.p, d.text.len) == count(text, n));
		MUST(downgrade(&again, d.text.p, d.text.len) == DOWNGRADE_SAME);
		break;
	case DOWNGRADE_REFUSED:
	case DOWNGRADE_ADDRESS:
		MUST(d.why.len > 0 && !downgrade_has_8bit(d.why.p, d.why.len));
		break;
	case DOWNGRADE_ERROR:
		abort();
	}
	downgrade_free(&d);
	downgrade_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try((const char *)data, size, false, NULL);
	try((const char *)data, size, false, "iso-8859-1");
	try((const char *)data, size, true, NULL);
	return 0;
}
