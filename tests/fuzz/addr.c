/* ISC licence, see LICENSE. */
#include "smtp/addr.h"

#include <string.h>

#include "fuzz.h"

/* What was taken is canonical: its own text gives the same again, within the limits, and is well-formed. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct addr a, b;
	char again[ADDR_MAILBOX_MAX + 3];
	size_t used;

	if (addr_mailbox(s, size, &a) == 0)
		MUST(a.has_domain && a.len > 0);
	if (addr_path(s, size, &a, &used) < 0)
		return 0;
	MUST(used >= 2 && used <= size && s[used - 1] == '>');
	MUST(a.len <= ADDR_MAILBOX_MAX && a.local_len <= ADDR_LOCAL_MAX && a.text[a.len] == '\0');
	MUST(strlen(a.text) == a.len && addr_is_utf8(a.text, a.len));
	again[0] = '<';
	memcpy(again + 1, a.text, a.len);
	again[a.len + 1] = '>';
	MUST(addr_path(again, a.len + 2, &b, &used) == 0 && used == a.len + 2);
	MUST(a.len == b.len && memcmp(a.text, b.text, a.len) == 0 && a.local_len == b.local_len);
	MUST(a.has_domain == b.has_domain && a.is_literal == b.is_literal && a.is_utf8 == b.is_utf8);
	addr_is_qualified(&a);
	addr_is_postmaster(&a);
	addr_is_domain(s, size);
	return 0;
}
