/* ISC licence, see LICENSE. */
#include "chain/verdict.h"

#include "fuzz.h"

/* First octet: how it ended; second: the exit code; third: how many recipients. The rest is the text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict v;
	enum verdict_end end;
	const struct reply_foreign *worst;
	size_t n, i;
	bool mixed;

	if (size < 3)
		return 0;
	end = (enum verdict_end)(data[0] % 5);
	n = data[2] % 8 + 1u;
	MUST(verdict_open(&v, n) == 0);
	verdict_judge(&v, (const char *)data + 3, size - 3, end, data[1]);
	MUST(v.n == n);
	for (i = 0; i < n; i++) {
		int class = v.reply[i].code / 100;

		MUST(v.reply[i].text && (class == 2 || class == 4 || class == 5));
		/* a yes is never implied */
		MUST(class != 2 || end == VERDICT_DOT || (end == VERDICT_EXIT && data[1] == 0));
	}
	worst = verdict_reduce(&v, &mixed);
	MUST(!worst || worst->code >= 400);
	verdict_free(&v);
	return 0;
}
