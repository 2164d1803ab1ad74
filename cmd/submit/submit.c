/* ISC licence, see LICENSE. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/finding.h"
#include "base/id.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"
#include "deliver/delivery.h"
#include "mail/draft.h"
#include "mail/header.h"
#include "msa/msgfile.h"
#include "stage/run.h"

/* A message chain from a shell: the message is standard input, the envelope are options, the answer is an exit code. */
struct submission {
	const char *sender;
	const char **rcpt; /* owned array of n borrowed addresses */
	size_t n;
	int seconds;       /* for the chain's answer */
	struct next next;
	struct call call;
	bool is_8bit;      /* the message has octets over 127 */
	int message, envelope;
	off_t size;
};

/* What the usage says after the name. */
static const char usage_words[] = "-f sender -r recipient [-r recipient ...] [-t seconds] prog [arg ...]";

static int
usage(void)
{
	fprintf(stderr, "usage: submit %s\n", usage_words);
	return EX_USAGE;
}

static int
wrong(int code, const char *word, const char *what)
{
	fprintf(stderr, "submit: %s%s%s\n", word, *word ? ": " : "", what);
	return code;
}

/* errno is about what. Returns the exit code. */
static int
failed(int code, const char *what)
{
	return wrong(code, what, strerror(errno));
}

static int
add_recipient(struct submission *s, const char *address)
{
	const char **grown = realloc(s->rcpt, (s->n + 1) * sizeof *grown);

	if (!grown)
		return failed(EX_TEMPFAIL, address);
	s->rcpt = grown;
	s->rcpt[s->n++] = address;
	return EX_OK;
}

static int
read_options(struct submission *s, int argc, char *argv[])
{
	long long seconds;
	int c, r;

	while ((c = getopt(argc, argv, "+f:r:t:")) != -1)
		switch (c) {
		case 'f':
			s->sender = optarg;
			break;
		case 'r':
			if ((r = add_recipient(s, optarg)) != EX_OK)
				return r;
			break;
		case 't':
			if (number_parse(optarg, 1, CHAIN_SESSION_S, &seconds) < 0) {
				fprintf(stderr, "submit: -t %s: not a number from 1 to %d\n", optarg, CHAIN_SESSION_S);
				return EX_USAGE;
			}
			s->seconds = (int)seconds;
			break;
		default:
			return usage();
		}
	if (!s->sender || s->n == 0 || optind == argc)
		return usage();
	if (s->n > CHAIN_RCPT_MAX)
		return wrong(EX_USAGE, "-r", "more recipients than a message may have");
	s->next = next_parse(argv + optind);
	return EX_OK;
}

/* Make the envelope's text; before the message is read, only to check the addresses. Returns the exit code. */
static int
make_envelope(const struct submission *s, struct buf *text)
{
	const char *bad;

	buf_clear(text);
	if (delivery_envelope(text, s->sender, s->is_8bit ? " BODY=8BITMIME" : "", s->rcpt, s->n, &bad) == 0)
		return EX_OK;
	return bad ? wrong(EX_USAGE, bad, "not an address") : failed(EX_TEMPFAIL, "envelope");
}

static int
read_message(struct submission *s)
{
	const char *limit = facts_get(&s->call.facts, "DATABYTES");
	long long most = facts_number(&s->call.facts, "DATABYTES", limit && *limit ? -1 : 0);
	struct draft draft = { .max = (off_t)most };
	char text[80];
	int is_there;

	if (most < 0)
		return wrong(EX_CONFIG, "DATABYTES", "not a number of octets");
	s->message = draft_read(&draft, STDIN_FILENO);
	if (s->message < 0 && errno == EFBIG && most > 0)
		return wrong(EX_DATAERR, "the message", "larger than DATABYTES allows");
	s->size = s->message < 0 ? -1 : file_size(s->message);
	if (s->size < 0)
		return failed(errno == EIO || errno == EISDIR || errno == EBADF ? EX_IOERR : EX_TEMPFAIL, "standard input");
	if (s->size == 0)
		return wrong(EX_NOINPUT, "standard input", "empty: no message");
	if (draft.bare) {
		snprintf(text, sizeof text, "line %zu has a NUL or a CR without LF", draft.bare);
		return wrong(EX_DATAERR, "the message", text);
	}
	is_there = header_is_there(s->message);
	if (is_there < 0)
		return failed(EX_TEMPFAIL, "the message");
	if (!is_there)
		return wrong(EX_DATAERR, "the message", "line 1 is no header field");
	s->is_8bit = draft.is_8bit;
	return EX_OK;
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
			wrong(0, s->rcpt[i], reply_show(&v->reply[i], line));
	snprintf(rcpts, sizeof rcpts, "%zu", s->n);
	snprintf(octets, sizeof octets, "%lld", (long long)s->size);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start_ms));
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	log_event(&s->call.log, !worst ? "accepted" : mixed ? "mixed" : "refused", "user",
	    facts_get(&s->call.facts, "SMTPAUTHUSER"), "rcpts", rcpts, "size", octets, "code", code, "ms", ms, "from",
	    s->sender, "reason", worst ? worst->text : NULL, (char *)NULL);
	return code_of(worst);
}

static int
run(struct submission *s)
{
	int64_t start_ms = clock_ms(), deadline_ms = start_ms + (int64_t)s->seconds * 1000;
	struct verdict v = { 0 };
	int result = EX_TEMPFAIL;

	if (set_facts(s, deadline_ms) < 0 ||
	    call_deliver(&s->call, &s->next, s->message, s->envelope, s->n, deadline_ms, &v) < 0)
		failed(result, "the chain");
	else
		result = conclude(s, &v, start_ms);
	verdict_free(&v);
	return result;
}

static int
submit(struct submission *s)
{
	struct buf text = { 0 };
	int r = EX_TEMPFAIL;

	if (facts_from_environ(&s->call.facts) < 0)
		return failed(r, "environment");
	facts_claim(&s->call.facts, FACTS_SUBMITD); /* submit stands in submitd's place */
	if ((r = make_envelope(s, &text)) == EX_OK && (r = read_message(s)) == EX_OK &&
	    (r = make_envelope(s, &text)) == EX_OK) {
		s->envelope = msgfile_of(text.p, text.len);
		r = s->envelope < 0 ? failed(EX_TEMPFAIL, "envelope") : run(s);
	}
	buf_free(&text);
	return r;
}

/* What msa-check(8) asks: the addresses, and what follows. */
static int
examine(const struct submission *s)
{
	struct buf text = { 0 };
	int r = make_envelope(s, &text);

	buf_free(&text);
	finding_stage("submit", "session");
	finding_fact("starts", "message");
	return r;
}

int
main(int argc, char *argv[])
{
	struct submission s = { .seconds = CHAIN_ANSWER_S, .message = -1, .envelope = -1,
		.call = { .kind = CALL_MESSAGE, .in = -1, .out = -1, .envelope = -1, .stop = -1 } };
	int r;

	struct finding asked;
	bool is_asked;

	if (program_answers("submit", usage_words, argc, argv))
		return EX_OK;
	is_asked = finding_asked(&asked, "submit", &argc, &argv);
	r = read_options(&s, argc, argv);
	if (is_asked && r == EX_OK) {
		r = examine(&s);
		finding_number("next", s.next.argv - argv);
		free(s.rcpt);
		return r;
	}
	os_signals_default();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (r == EX_OK && os_fill_standard() < 0)
		r = failed(EX_TEMPFAIL, "/dev/null");
	if (r == EX_OK) {
		os_close_inherited(CHAIN_FD_ENVELOPE);
		log_open(&s.call.log, "submit", -1);
		r = submit(&s);
	}
	facts_free(&s.call.facts);
	free(s.rcpt);
	return r;
}
