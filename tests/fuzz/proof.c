/* ISC licence, see LICENSE. */
#include "tlsd/proof.h"

#include <string.h>

#include "fuzz.h"

/* Lines: "S" and what the next stage says, or anything else and what the client says. */
static void
pass(struct proof *p, const char *s, size_t n, size_t step)
{
	while (n > 0) {
		const char *lf = memchr(s, '\n', n);
		size_t len = lf ? (size_t)(lf - s) + 1 : n, i;

		for (i = 1; i < len; i += step)
			(*s == 'S' ? proof_down : proof_up)(p, s + i, len - i < step ? len - i : step);
		s += len;
		n -= len;
	}
}

/* In whatever pieces it comes, the same is proved, and nothing without a reply of 235 or 250. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proof whole = { 0 }, parts = { 0 };
	const char *s = (const char *)data;
	size_t i;
	bool yes = false;

	pass(&whole, s, size, SIZE_MAX / 2);
	pass(&parts, s, size, 1);
	MUST(whole.given == parts.given && whole.owed == parts.owed && whole.mail == parts.mail);
	MUST(whole.up.len <= sizeof whole.up.text && whole.down.len <= sizeof whole.down.text);
	for (i = 0; i + 3 <= size; i++)
		yes |= memcmp(s + i, "235", 3) == 0 || memcmp(s + i, "250", 3) == 0;
	MUST(!whole.given || yes);
	return 0;
}
