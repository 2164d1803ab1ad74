/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/contact.h"
#include "ask/policy.h"
#include "base/clock.h"
#include "base/file.h"
#include "chain/limits.h"
#include "mail/header.h"
#include "msa/msgfile.h"
#include "stage/instance.h"
#include "stage/run.h"

enum {
	WAIT_S = 30,        /* for all answers about a message */
	READ_OCTETS = 4096, /* at once */
};

struct conf {
	struct contact server;
	const char *state, *context;
	bool each;  /* ask about each recipient */
	bool check; /* nothing is delivered: a recipient that passes gets 250 */
	bool pass;  /* a server that does not answer is as good as one that has no objection */
	int wait_s;
};

/* The examination of a message. */
struct look {
	struct call *call;
	const struct conf *conf;
	const struct envelope *envelope;
	int64_t start_ms, deadline_ms;
	long long size;
	int fd;              /* of the server; -1: none */
	struct buf in;       /* what the server has said */
	struct buf fields;   /* to put on top of the message */
	struct reply_foreign *reply; /* for each recipient; code 0: it passes */
	struct reply_foreign *soft;  /* for each recipient: what takes the place of a later 5yz; code 0: nothing */
	size_t refused;
	bool gone;           /* the server did not answer, and that does not matter: it is asked no more */
	char action[POLICY_SHOWN + 1]; /* the last one */
};

enum outcome {
	OUT_PASS,
	OUT_REFUSED, /* answer.reply says how */
	OUT_FAILED,  /* the reason was logged: 451 */
};

/* Log what the server has not done. Returns OUT_FAILED, or OUT_PASS if that does not matter. */
static enum outcome
fail(struct look *l, const char *reason, const char *action)
{
	log_event(&l->call->log, "failed", "to", l->conf->server.text, "reason", reason, "action", action,
	    "passed", l->conf->pass ? "yes" : NULL, (char *)NULL);
	l->gone = l->conf->pass;
	return l->conf->pass ? OUT_PASS : OUT_FAILED;
}

/* Read a whole answer into l->in. Returns its length, or -1 with *why set. */
static ssize_t
hear(struct look *l, const char **why)
{
	ssize_t n, r;

	while ((n = policy_whole(l->in.p, l->in.len)) == 0) {
		if (buf_room(&l->in, READ_OCTETS) < 0) {
			*why = "out of memory";
			return -1;
		}
		r = contact_read(l->fd, l->in.p + l->in.len, READ_OCTETS, l->deadline_ms);
		if (r <= 0) {
			*why = r == 0 ? "connection closed" : errno == ETIMEDOUT ? "no answer until the deadline" : strerror(errno);
			return -1;
		}
		l->in.len += (size_t)r;
	}
	*why = n < 0 ? "answer with too long a line, too many lines or a NUL" : (size_t)n < l->in.len ?
	    "more than an answer" : NULL;
	return *why ? -1 : n;
}

/* Do what the answer, n octets of l->in, says. a gets the answer. */
static enum outcome
obey(struct look *l, struct policy_answer *a, size_t n, struct reply_foreign *soft)
{
	enum policy_result result = policy_parse(a, l->in.p, n);

	memcpy(l->action, a->action, sizeof l->action);
	switch (result) {
	case POLICY_PASS:
		break;
	case POLICY_REFUSE:
		return OUT_REFUSED;
	case POLICY_PREPEND:
		if (buf_add(&l->fields, a->text.p, a->text.len) < 0 || buf_puts(&l->fields, "\r\n") < 0)
			return fail(l, "out of memory", NULL);
		break;
	case POLICY_SOFTEN:
		*soft = a->reply;
		a->reply = (struct reply_foreign){ .code = 0 };
		break;
	case POLICY_UNSUPPORTED:
		log_event(&l->call->log, "failed", "to", l->conf->server.text, "reason", "an action that policy cannot do",
		    "action", a->action, (char *)NULL);
		return OUT_FAILED;
	case POLICY_GARBAGE:
		return fail(l, a->why ? a->why : strerror(errno), *a->action ? a->action : NULL);
	}
	return OUT_PASS;
}

/* Ask about a recipient, or about the message (NULL). a gets the answer, and soft what DEFER_IF_REJECT says. */
static enum outcome
ask(struct look *l, const struct envelope_line *rcpt, struct policy_answer *a, struct reply_foreign *soft)
{
	const struct policy_question q = { l->conf->state, l->conf->context, &l->call->facts, l->envelope, rcpt, l->size };
	struct buf request = { 0 };
	char why_not[STARTER_WHY];
	const char *why = NULL;
	ssize_t n = -1;

	if (l->gone)
		return OUT_PASS;
	if (l->fd < 0)
		l->fd = contact_open(&l->conf->server, l->deadline_ms, why_not);
	if (l->fd < 0)
		return fail(l, why_not, NULL);
	buf_clear(&l->in);
	if (policy_request(&request, &q) < 0 || contact_write(l->fd, request.p, request.len, l->deadline_ms) < 0)
		why = errno == ETIMEDOUT ? "no room for the request until the deadline" : strerror(errno);
	else
		n = hear(l, &why);
	buf_free(&request);
	if (n >= 0)
		return obey(l, a, (size_t)n, soft);
	close(l->fd);
	l->fd = -1;
	return fail(l, why, NULL);
}

static void
log_refused(const struct look *l, const struct envelope_line *rcpt, const struct reply_foreign *r)
{
	char address[256] = "", line[REPLY_SHOWN_MAX];

	if (rcpt)
		snprintf(address, sizeof address, "%.*s", (int)rcpt->path_len, rcpt->path);
	log_event(&l->call->log, "refused", "to", l->conf->server.text, "rcpt", rcpt ? address : NULL, "action", l->action,
	    "reply", reply_show(r, line), (char *)NULL);
}

/* Answer all recipients alike. Returns the exit code. */
static int
answer_all(struct look *l, struct reply_foreign *r)
{
	struct verdict v = { .reply = calloc(1, sizeof *v.reply), .n = 1 };
	int code = r->code >= 500 ? CHAIN_REFUSED : CHAIN_LATER;

	if (!v.reply)
		return call_failed(l->call, "verdict");
	v.reply[0] = *r;
	*r = (struct reply_foreign){ .code = 0 };
	return call_answer(l->call, &v) == CHAIN_DONE ? code : CHAIN_LATER;
}

/* Ask about the message as a whole. Returns CHAIN_DONE, or the exit code after giving the verdict. */
static int
ask_once(struct look *l)
{
	struct policy_answer a = { .why = NULL };
	int code = CHAIN_DONE;
	size_t i;

	switch (ask(l, NULL, &a, &l->soft[0])) {
	case OUT_PASS:
		for (i = 1; i < l->envelope->nrcpt && l->soft[0].code; i++)
			reply_copy(&l->soft[i], &l->soft[0]);
		break;
	case OUT_REFUSED:
		log_refused(l, NULL, &a.reply);
		code = answer_all(l, &a.reply);
		break;
	case OUT_FAILED:
		code = call_verdict(l->call, REPLY_LOCAL_ERROR, NULL);
		break;
	}
	policy_free(&a);
	return code;
}

/* Ask about each recipient that is left. Returns as ask_once; but a refusal stands in l->reply. */
static int
ask_each(struct look *l)
{
	const struct envelope *e = l->envelope;
	enum outcome out = OUT_PASS;
	size_t i;

	for (i = 0; i < e->nrcpt && out != OUT_FAILED; i++) {
		struct policy_answer a = { .why = NULL };

		if (e->rcpt[i].kind != ENVELOPE_RCPT)
			continue;
		out = ask(l, &e->rcpt[i], &a, &l->soft[i]);
		if (out == OUT_REFUSED) {
			log_refused(l, &e->rcpt[i], &a.reply);
			l->refused++;
			l->reply[i] = a.reply;
			a.reply = (struct reply_foreign){ .code = 0 };
		}
		policy_free(&a);
	}
	return out == OUT_FAILED ? call_verdict(l->call, REPLY_LOCAL_ERROR, NULL) : CHAIN_DONE;
}

/* Returns the envelope with a reply in the place of each refused recipient, or -1 with errno set. */
static int
write_envelope(const struct look *l)
{
	const struct envelope *e = l->envelope;
	char line[REPLY_SHOWN_MAX];
	struct buf b = { 0 };
	int fd = -1, r = buf_printf(&b, "%s\n", e->mail.text);
	size_t i;

	for (i = 0; r == 0 && i < e->nrcpt + e->ncopy; i++)
		r = buf_printf(&b, "%s\n", i < e->nrcpt && l->reply[i].code ? reply_show(&l->reply[i], line) : e->rcpt[i].text);
	if (r == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

/* Returns the message with the fields of PREPEND on top, or -1 with errno set. */
static int
write_message(const struct look *l)
{
	struct msgfile m = { 0 };
	int fd = -1;

	if (msgfile_add(&m, l->fields.p, l->fields.len) == 0 && msgfile_add_file(&m, l->call->in, 0, l->size) == 0)
		fd = msgfile_finish(&m);
	msgfile_free(&m);
	return fd;
}

/* Run the rest of the chain, and turn a 5yz of it into the 4yz that the server asked for. */
static int
deliver_softly(struct look *l, int message, int envelope)
{
	int64_t deadline_ms = call_own_deadline(l->call);
	struct verdict v = { .n = 0 };
	size_t i;

	if (call_set_deadline(l->call, deadline_ms) < 0 || call_deliver(l->call, l->call->next, message, envelope,
	        l->envelope->nrcpt, deadline_ms, &v) < 0)
		return call_failed(l->call, "verdict");
	for (i = 0; i < v.n; i++)
		if (l->envelope->rcpt[i].kind == ENVELOPE_RCPT && l->reply[i].code == 0 && v.reply[i].code >= 500 &&
		    l->soft[i].code) {
			reply_foreign_free(&v.reply[i]);
			v.reply[i] = l->soft[i];
			l->soft[i] = (struct reply_foreign){ .code = 0 };
		}
	return call_answer(l->call, &v);
}

static bool
is_soft(const struct look *l)
{
	size_t i;

	for (i = 0; i < l->envelope->nrcpt && !l->soft[i].code; i++)
		;
	return i < l->envelope->nrcpt;
}

/* Hand the message on, changed as the server said. Returns the exit code. */
static int
hand_on(struct look *l)
{
	int message = l->call->in, envelope = l->call->envelope, code;

	if (l->fields.len > 0)
		switch (header_would_join(l->call->in)) {
		case -1:
			return call_failed(l->call, "message");
		case 1:
			log_event(&l->call->log, "refused", "why", "message begins with white space", (char *)NULL);
			return call_verdict(l->call, REPLY_BAD_MESSAGE, NULL);
		default:
			message = write_message(l);
		}
	if (l->refused > 0)
		envelope = write_envelope(l);
	if (message < 0 || envelope < 0)
		code = call_failed(l->call, "message");
	else if (is_soft(l))
		code = deliver_softly(l, message, envelope);
	else
		code = call_next_with(l->call, message == l->call->in ? -1 : message,
		    envelope == l->call->envelope ? -1 : envelope);
	if (message >= 0 && message != l->call->in)
		close(message);
	if (envelope >= 0 && envelope != l->call->envelope)
		close(envelope);
	return code;
}

/* -n: give each recipient its reply. Returns the exit code. */
static int
answer_each(struct look *l)
{
	const struct envelope *e = l->envelope;
	struct verdict v = { .n = 0 };
	const char *text;
	size_t i, len;
	int code, r = verdict_open(&v, e->nrcpt);
	bool last;

	for (i = 0; r == 0 && i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_REPLY) {
			reply_line(e->rcpt[i].text, strlen(e->rcpt[i].text), &code, &last, &text, &len); /* it was checked */
			r = reply_take(&v.reply[i], code, text, len);
		} else if (l->reply[i].code) {
			v.reply[i] = l->reply[i];
			l->reply[i] = (struct reply_foreign){ .code = 0 };
		} else
			r = reply_set(&v.reply[i], REPLY_RCPT_OK, NULL);
	v.n = e->nrcpt;
	if (r == 0)
		return call_answer(l->call, &v);
	verdict_free(&v);
	return call_failed(l->call, "verdict");
}

static void
log_done(const struct look *l)
{
	char refused[24], ms[24];

	snprintf(refused, sizeof refused, "%zu", l->refused);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - l->start_ms));
	log_event(&l->call->log, "done", "to", l->conf->server.text, "action", *l->action ? l->action : NULL, "refused",
	    l->conf->each ? refused : NULL, "ms", ms, (char *)NULL);
}

static int
look_at(struct look *l)
{
	size_t n = l->envelope->nrcpt;
	int code;

	l->reply = calloc(n, sizeof *l->reply);
	l->soft = calloc(n, sizeof *l->soft);
	l->size = file_size(l->call->in);
	if (!l->reply || !l->soft || l->size < 0)
		return call_failed(l->call, "message");
	code = l->conf->each ? ask_each(l) : ask_once(l);
	if (l->fd >= 0)
		close(l->fd); /* the next program must not get it, and another message may come much later */
	if (code != CHAIN_DONE)
		return code;
	log_done(l);
	return l->conf->check ? answer_each(l) : hand_on(l);
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct look l = { .call = call, .conf = conf, .start_ms = clock_ms(), .fd = -1 };
	size_t i;
	int code;

	if (call->kind == CALL_FILTER) {
		fprintf(stderr, "policy: MSA_MESSAGE is not set: not in a chain (submit starts one)\n");
		return CHAIN_MISUSE;
	}
	l.envelope = call_envelope(call);
	if (!l.envelope)
		return call_failed(call, NULL);
	l.deadline_ms = call_own_deadline(call);
	if (l.start_ms + (int64_t)conf->wait_s * 1000 < l.deadline_ms)
		l.deadline_ms = l.start_ms + (int64_t)conf->wait_s * 1000;
	code = look_at(&l);
	for (i = 0; i < l.envelope->nrcpt; i++) {
		if (l.reply)
			reply_foreign_free(&l.reply[i]);
		if (l.soft)
			reply_foreign_free(&l.soft[i]);
	}
	free(l.reply);
	free(l.soft);
	buf_free(&l.in);
	buf_free(&l.fields);
	return code;
}

static void
init(void *arg)
{
	*(struct conf *)arg = (struct conf){ .state = "END-OF-MESSAGE", .context = "", .wait_s = WAIT_S };
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	long long n;

	switch (letter) {
	case 'c':
		conf->context = value;
		return 0;
	case 'n':
		conf->check = conf->each = true;
		conf->state = "RCPT";
		return 0;
	case 'p':
		conf->pass = true;
		return 0;
	case 's':
		conf->state = value;
		conf->each = strcmp(value, "RCPT") == 0;
		if (conf->each || strcmp(value, "DATA") == 0 || strcmp(value, "END-OF-MESSAGE") == 0)
			return 0;
		return stage_wrong(i, "-s", "%s is not RCPT, DATA or END-OF-MESSAGE", value);
	default:
		if (stage_number(i, letter, value, 1, CHAIN_DEADLINE_MAX_S, &n) < 0)
			return -1;
		conf->wait_s = (int)n;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (conf->check != (i->next.how == NEXT_NONE) || (conf->check && !conf->each))
		return -1;
	if (contact_set(&conf->server, i->words[0]) < 0)
		return stage_wrong(i, i->words[0], "neither host:port nor the path of a socket");
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	contact_claim(&((const struct conf *)arg)->server, c);
}

static int
prepare(void *arg)
{
	return contact_prepare(&((struct conf *)arg)->server);
}

static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	char why[STARTER_WHY];
	int fd;

	if (conf->check) {
		finding_fact("ends", "");
		finding_fact("checks", "");
	}
	if (!i->asked->network)
		return;
	fd = contact_open(&conf->server, clock_ms() + 10000, why);
	if (fd < 0)
		stage_found(i, conf->server.text, "start the policy server that listens there, or correct the address", "%s", why);
	else
		close(fd);
}

const struct stage policy_stage = {
	.name = "policy",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_NETWORK | STAGE_TEMPORARY,
	.options = "c:nps:t:",
	.usage = "[-p] [-c context] [-s state] [-t seconds] " STAGE_USAGE " address prog [arg ...] | "
	    "-n [-p] [-c context] [-t seconds] " STAGE_USAGE " address",
	.own_words = 1,
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.prepare = prepare,
	.serve = serve,
	.examine = examine,
};
