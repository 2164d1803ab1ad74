/* ISC licence, see LICENSE. */
#include "tlsd/cleartext.h"

#include <string.h>

#include "chain/limits.h"
#include "smtp.h"
#include "smtp/greet.h"

/* What a client may send before TLS: every answer is complete reply lines, and no input is answered for ever. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cleartext c;
	struct buf in = { 0 }, out = { 0 };
	enum cleartext_result r = CLEARTEXT_MORE;
	size_t given = 0, was, i;

	cleartext_open(&c, "mx.test", size % 2);
	MUST(greet_banner(&out, c.host, c.lmtp) == 0);
	while (r != CLEARTEXT_END && r != CLEARTEXT_STARTTLS) {
		if (r == CLEARTEXT_MORE) {
			size_t part = size - given < 7 ? size - given : 7;

			if (part == 0)
				break;
			MUST(buf_add(&in, data + given, part) == 0);
			given += part;
		}
		was = in.len;
		r = cleartext_take(&c, &in, &out);
		MUST(r != CLEARTEXT_ERROR);
		MUST(r != CLEARTEXT_LINE || in.len < was);
		MUST(c.chunk >= 0 && (r != CLEARTEXT_STARTTLS || c.chunk == 0));
	}
	MUST(out.len >= 2 && memcmp(out.p + out.len - 2, "\r\n", 2) == 0);
	for (i = 0; i < out.len; i++)
		MUST(out.p[i] == '\r' || out.p[i] == '\n' || (out.p[i] >= ' ' && out.p[i] <= '~'));
	MUST(c.patience.errors <= CHAIN_ERRORS_MAX + 1);
	buf_free(&in);
	buf_free(&out);
	return 0;
}
