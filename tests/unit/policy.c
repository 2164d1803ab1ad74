/* ISC licence, see LICENSE. */
#include "ask/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/envelope.h"
#include "unit.h"

/* "policy request STATE CONTEXT SIZE N": the envelope is standard input, N the recipient asked about (0: none). */
static int
request(char **argv)
{
	struct policy_question q = { .state = argv[1], .context = argv[2], .size = atoll(argv[3]) };
	size_t n = (size_t)atoi(argv[4]);
	struct envelope e = { .nrcpt = 0 };
	struct facts facts = { .n = 0 };
	struct buf text = { 0 }, out = { 0 };
	const char *why;
	char line[512];

	while (fgets(line, sizeof line, stdin))
		buf_puts(&text, line);
	if (envelope_parse(&e, &text, &why) < 0 || facts_from_environ(&facts) < 0)
		return 1;
	q.envelope = &e;
	q.facts = &facts;
	q.rcpt = n > 0 ? &e.rcpt[n - 1] : NULL;
	if (policy_request(&out, &q) < 0)
		return 1;
	fwrite(out.p, 1, out.len, stdout);
	buf_free(&out);
	envelope_free(&e);
	facts_free(&facts);
	return 0;
}

static void
show(const char *p, size_t n)
{
	static const char *const names[] = {
		[POLICY_PASS] = "pass", [POLICY_REFUSE] = "refuse", [POLICY_PREPEND] = "prepend", [POLICY_SOFTEN] = "soften",
		[POLICY_UNSUPPORTED] = "unsupported", [POLICY_GARBAGE] = "garbage",
	};
	struct policy_answer a = { .why = NULL };
	enum policy_result r = policy_parse(&a, p, n);
	char line[REPLY_SHOWN_MAX];

	printf("%s", names[r]);
	if (a.reply.code)
		printf(" %s", reply_show(&a.reply, line));
	if (a.text.len)
		printf(" [%.*s]", (int)a.text.len, a.text.p);
	if (r == POLICY_GARBAGE)
		printf(" %s", a.why ? a.why : strerror(errno));
	if (r == POLICY_UNSUPPORTED)
		printf(" %s", a.action);
	policy_free(&a);
}

/* "policy answer": each line is an answer; more octets may follow the answer. */
int
unit_policy(int argc, char **argv)
{
	size_t len;
	char *raw, *s;

	if (argc > 4)
		return request(argv);
	while ((s = unit_line(&len, &raw))) {
		ssize_t n = policy_whole(s, len);

		printf("%s => ", raw);
		if (n > 0) {
			printf("%zd ", n);
			show(s, (size_t)n);
		} else
			printf("%s", n == 0 ? "more" : "bad");
		printf("\n");
		free(raw);
		free(s);
	}
	return 0;
}
