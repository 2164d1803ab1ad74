/* ISC licence, see LICENSE. */
#define _GNU_SOURCE /* memfd_create */
#include "submit/session.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "chain/limits.h"
#include "smtp.h"

/*
 * A whole session, what a client sends being the input; its first octet chooses among a few kinds. The message chain is
 * below: it looks whether what it gets keeps the contract, and accepts, or answers differently for each recipient.
 */
void
log_event(const struct log *l, const char *event, ...)
{
	(void)l;
	MUST(*event);
}

void
log_error(const struct log *l, const char *event, const char *fmt, ...)
{
	(void)l;
	MUST(*event && *fmt);
}

bool
log_permit(const struct log *l)
{
	return l != NULL;
}

/* No stage shares the process. */
void
run_idle(const struct next *next)
{
	MUST(next->how == NEXT_EXEC);
}

int
run_idle_s(const struct next *next)
{
	(void)next;
	return 0;
}

static bool
has_lines_only(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] == '\0' || (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n')) ||
		    (p[i] == '\n' && (i == 0 || p[i - 1] != '\r')))
			return false;
	return n == 0 || p[n - 1] == '\n';
}

int
call_deliver(const struct call *call, const struct next *next, int msg, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v)
{
	static const char *const verdicts[] = { "250 ok\n", "550 5.1.1 no\n", "250 ok\n450 4.2.0 later\n", "nonsense\n" };
	const char *text = verdicts[n % 4];
	struct buf m = { 0 }, e = { 0 };
	size_t lines = 0, i;

	(void)next;
	MUST(deadline_ms > 0 && n > 0 && n <= CHAIN_RCPT_MAX);
	MUST(file_slurp(msg, 1 << 24, &m) == 0 && file_slurp(envelope, CHAIN_ENVELOPE_MAX, &e) == 0);
	for (i = 0; i < e.len; i++)
		lines += e.p[i] == '\n';
	MUST(e.len > 12 && memcmp(e.p, "MAIL FROM:<", 11) == 0 && lines == n + 1 && !memchr(e.p, '\0', e.len));
	MUST(!memchr(e.p, '\r', e.len) && (size_t)facts_number(&call->facts, "MSA_RCPTS", 0) == n);
	if (!strstr(e.p, " BODY=BINARYMIME"))
		MUST(has_lines_only(m.p, m.len));
	buf_free(&m);
	buf_free(&e);
	MUST(verdict_open(v, n) == 0);
	verdict_judge(v, text, strlen(text), VERDICT_EXIT, 0);
	return 0;
}

/* All that was said is replies, each line as RFC 5321 4.2 has it. */
static void
check_replies(int fd)
{
	struct buf b = { 0 };
	size_t i, start = 0;

	MUST(file_slurp(fd, 1 << 26, &b) == 0);
	for (i = 0; i < b.len; i++) {
		if (b.p[i] != '\n')
			continue;
		MUST(i - start >= 5 && i + 1 - start <= 512 && b.p[i - 1] == '\r');
		MUST(b.p[start] >= '2' && b.p[start] <= '5' && (b.p[start + 3] == ' ' || b.p[start + 3] == '-'));
		MUST(memcmp(b.p + start, "521", 3) != 0);
		start = i + 1;
	}
	MUST(start == b.len);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct next next = { .how = NEXT_EXEC };
	struct fqdn domains = { .open = false };
	struct session_conf conf = { .command_wait_s = 5, .answer_s = 5, .session_s = 60, .errors_max = 50,
		.domains = &domains };
	struct call call = { .kind = CALL_SESSION, .stop = -1, .next = &next, .log = { .stage = "submitd" } };
	uint8_t kind = size > 0 ? *data : 0;

	call.in = memfd_create("in", 0);
	call.out = memfd_create("out", 0);
	MUST(call.in >= 0 && call.out >= 0);
	MUST(size < 2 || write(call.in, data + 1, size - 1) == (ssize_t)size - 1);
	lseek(call.in, 0, SEEK_SET);
	MUST(facts_set(&call.facts, "RELAYCLIENT", "") == 0 && facts_set(&call.facts, "MSA_HOST", "mx.test") == 0);
	if (kind & 1)
		MUST(facts_set(&call.facts, "MSA_LMTP", "") == 0);
	if (kind & 2)
		MUST(facts_set(&call.facts, "MSA_EHLO", "8BITMIME,BINARYMIME,DSN,SMTPUTF8,DELIVERBY,MT-PRIORITY,REQUIRETLS,"
		                                        "FUTURERELEASE,MTRK,NO-SOLICITING a:b") == 0);
	if (kind & 4)
		MUST(facts_set(&call.facts, "MSA_VERB", kind & 1 ? "LHLO" : "EHLO") == 0);
	if (kind & 8)
		MUST(facts_set(&call.facts, "DATABYTES", "100") == 0 && facts_set(&call.facts, "MSA_MAILMAX", "3") == 0);
	conf.mend = kind & 16;
	conf.line_max = kind & 32 ? 40 : 0;
	MUST(session_serve(&call, &conf) == CHAIN_DONE);
	check_replies(call.out);
	close(call.in);
	close(call.out);
	facts_free(&call.facts);
	return 0;
}
