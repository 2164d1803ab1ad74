/* ISC licence, see LICENSE. */
#include "ask/policy.h"

#include <string.h>

#include "fuzz.h"

/*
 * What a policy server says, whatever it is: a whole answer is found at the same place however little came before, and
 * what it means has a reply exactly where it refuses, and a field that is one line where it has one.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct policy_answer a = { .why = NULL };
	ssize_t n = policy_whole(p, size), i;
	enum policy_result r;

	MUST(n <= (ssize_t)size && n >= -1);
	for (i = 0; n > 0 && i < n && n < 300; i++)
		MUST(policy_whole(p, (size_t)i) == 0);
	if (n <= 0)
		return 0;
	r = policy_parse(&a, p, (size_t)n);
	MUST((r == POLICY_REFUSE || r == POLICY_SOFTEN) == (a.reply.code != 0));
	MUST(a.reply.code == 0 || (a.reply.code >= 400 && a.reply.code <= 599 && a.reply.text && *a.reply.enhanced &&
	        a.reply.enhanced[0] == '0' + a.reply.code / 100 && !strchr(a.reply.text, '\n')));
	MUST((r == POLICY_PREPEND) == (a.text.len > 0) && a.text.len <= POLICY_FIELD_MAX);
	MUST(a.text.len == 0 || (memchr(a.text.p, ':', a.text.len) && !memchr(a.text.p, '\n', a.text.len) &&
	        !memchr(a.text.p, '\r', a.text.len)));
	MUST((r == POLICY_GARBAGE) == (a.why != NULL));
	MUST(memchr(a.action, '\0', sizeof a.action));
	policy_free(&a);
	return 0;
}
