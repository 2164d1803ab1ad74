/* ISC licence, see LICENSE. */
#include "deliver/submission.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "chain/limits.h"
#include "deliver/delivery.h"
#include "msa/msgfile.h"
#include "stage/run.h"

void
submission_init(struct submission *s, const char *name)
{
	*s = (struct submission){ .name = name, .errors = stderr, .mail_params = "", .rcpt_params = "",
		.seconds = CHAIN_ANSWER_S, .message = -1,
		.call = { .kind = CALL_MESSAGE, .in = -1, .out = -1, .envelope = -1, .stop = -1 } };
}

void
submission_free(struct submission *s)
{
	size_t i;

	if (s->message >= 0)
		close(s->message);
	facts_free(&s->call.facts);
	for (i = 0; i < s->n; i++)
		free(s->rcpt[i]);
	free(s->rcpt);
	submission_init(s, s->name);
}

int
submission_wrong(const struct submission *s, int code, const char *word, const char *what)
{
	fprintf(s->errors, "%s: %s%s%s\n", s->name, word, *word ? ": " : "", what);
	return code;
}

int
submission_failed(const struct submission *s, int code, const char *word)
{
	return submission_wrong(s, code, word, strerror(errno));
}

int
submission_add(struct submission *s, const char *address)
{
	char **grown = realloc(s->rcpt, (s->n + 1) * sizeof *grown);

	if (!grown)
		return submission_failed(s, EX_TEMPFAIL, address);
	s->rcpt = grown;
	s->rcpt[s->n] = strdup(address);
	if (!s->rcpt[s->n])
		return submission_failed(s, EX_TEMPFAIL, address);
	s->n++;
	return EX_OK;
}

/* Make the envelope's text. Returns the exit code. */
static int
make_envelope(const struct submission *s, struct buf *text)
{
	char params[400];
	const char *bad;

	snprintf(params, sizeof params, "%s%s", s->is_8bit ? " BODY=8BITMIME" : "", s->mail_params);
	if (delivery_envelope(text, s->sender, params, (const char *const *)s->rcpt, s->n, s->rcpt_params, &bad) == 0)
		return EX_OK;
	return bad ? submission_wrong(s, EX_USAGE, bad, "not an address") : submission_failed(s, EX_TEMPFAIL, "envelope");
}

int
submission_check(const struct submission *s)
{
	struct buf text = { 0 };
	int r = make_envelope(s, &text);

	buf_free(&text);
	return r;
}

/* Set the facts of the message, as submitd does for its chain. Returns 0, or -1 with errno set (ENOMEM). */
static int
set_facts(struct submission *s, int64_t deadline_ms)
{
	struct call *call = &s->call;
	char id[ID_MAX], rcpts[24];

	id_make(id);
	snprintf(rcpts, sizeof rcpts, "%zu", s->n);
	if (facts_set(&call->facts, "MSA_MESSAGE", id) < 0 || facts_set(&call->facts, "MSA_RCPTS", rcpts) < 0 ||
	    call_set_deadline(call, deadline_ms) < 0)
		return -1;
	id_make(id);
	if (!facts_get(&call->facts, "MSA_SESSION") && facts_set(&call->facts, "MSA_SESSION", id) < 0)
		return -1;
	return call_learn(call, FACTS_NOBODY);
}

/* The exit code that says most of a refusal; those of class 5 are "refused for good" in chain(7) too, but for 69. */
static int
code_of(const struct reply_foreign *r)
{
	static const struct {
		const char *status; /* begins with that */
		int code;
	} table[] = { { "5.1.2", EX_NOHOST }, { "5.1.", EX_NOUSER }, { "5.3.4", EX_DATAERR }, { "5.6.", EX_DATAERR },
		{ "5.7.", EX_NOPERM } };
	size_t i;

	if (!r)
		return EX_OK;
	for (i = 0; i < sizeof table / sizeof *table && r->code >= 500; i++)
		if (strncmp(r->enhanced, table[i].status, strlen(table[i].status)) == 0)
			return table[i].code;
	return r->code < 500 ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

/* Print each refusal, log the result, and return the exit code. */
static int
conclude(const struct submission *s, const struct verdict *v, int64_t start_ms)
{
	char rcpts[24], octets[24], ms[24], code[12], line[REPLY_SHOWN_MAX];
	const struct reply_foreign *worst;
	bool mixed;
	size_t i;

	worst = verdict_reduce(v, &mixed);
	for (i = 0; i < v->n; i++)
		if (v->reply[i].code >= 300)
			submission_wrong(s, 0, s->rcpt[i], reply_show(&v->reply[i], line));
	snprintf(rcpts, sizeof rcpts, "%zu", s->n);
	snprintf(octets, sizeof octets, "%lld", (long long)file_size(s->message));
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start_ms));
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	log_event(&s->call.log, !worst ? "accepted" : mixed ? "mixed" : "refused", "user",
	    facts_get(&s->call.facts, "SMTPAUTHUSER"), "rcpts", rcpts, "size", octets, "code", code, "ms", ms, "from",
	    s->sender, "reason", worst ? worst->text : NULL, (char *)NULL);
	return code_of(worst);
}

static int
deliver(struct submission *s, int envelope)
{
	int64_t start_ms = clock_ms(), deadline_ms = start_ms + (int64_t)s->seconds * 1000;
	struct verdict v = { 0 };
	int result = EX_TEMPFAIL;

	if (set_facts(s, deadline_ms) < 0 ||
	    call_deliver(&s->call, &s->next, s->message, envelope, s->n, deadline_ms, &v) < 0)
		submission_failed(s, result, "the chain");
	else
		result = conclude(s, &v, start_ms);
	verdict_free(&v);
	return result;
}

int
submission_run(struct submission *s)
{
	struct buf text = { 0 };
	int r = make_envelope(s, &text), fd;

	if (r == EX_OK) {
		fd = msgfile_of(text.p, text.len);
		r = fd < 0 ? submission_failed(s, EX_TEMPFAIL, "envelope") : deliver(s, fd);
		if (fd >= 0)
			close(fd);
	}
	buf_free(&text);
	return r;
}
