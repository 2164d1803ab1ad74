/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "chain/dsn.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "chain/offerfile.h"
#include "mail/report.h"
#include "msa/msgfile.h"
#include "smtp/addr.h"
#include "smtp/ehlo.h"
#include "stage/instance.h"
#include "stage/run.h"

enum {
	REPORT_MS = 20000, /* kept for the report, of the time for the answer; at most a fifth of that time */
	QUOTE_MAX = 16777216,
};

struct conf {
	const char *keywords; /* -k: what the next hop offers, or the name of the file that says so */
	char *offers;      /* the file, owned; NULL: none */
	bool delivers;     /* -d: what the next hop accepts is delivered, not relayed */
	const char *from;
	size_t quote_max;
};

/* A message in hand. */
struct work {
	struct call *call;
	const struct conf *conf;
	const struct envelope *envelope; /* as it came */
	uint32_t offers;          /* CAP_*: the keywords that the next hop offers now */
	int passed;               /* the envelope for the rest of the chain */
	bool partial;             /* MSA_PARTIAL was set: results may differ between recipients */
	bool refused;             /* an earlier stage has refused a recipient, whose address is lost */
	int64_t deadline_ms;      /* for the answer */
	int64_t start_ms;
	time_t arrival;
};

/* Returns true if RFC 3461 5.2 asks us for a report about this recipient and its reply. */
static bool
is_due(const struct work *w, const struct envelope_line *rcpt, const struct reply_foreign *reply, bool mixed)
{
	if (rcpt->kind != ENVELOPE_RCPT || w->envelope->mail.path_len == 0)
		return false; /* never a report about a report */
	if (reply->code >= 300)
		return mixed && !w->partial && dsn_notify(rcpt) & DSN_FAILURE;
	return !(w->offers & CAP_DSN) && dsn_notify(rcpt) & DSN_SUCCESS;
}

/* Returns true if we would have to report success for at least one recipient. */
static bool
wants_success(const struct work *w)
{
	const struct reply_foreign yes = { .code = 250 };
	size_t i;

	for (i = 0; i < w->envelope->nrcpt; i++)
		if (is_due(w, &w->envelope->rcpt[i], &yes, false))
			return true;
	return false;
}

/* Choose the recipients to report about. Returns their number; *failed is how many of them were not reached. */
static size_t
choose(const struct work *w, const struct verdict *v, bool mixed, struct report_rcpt *rcpt, size_t *failed)
{
	enum report_action yes = w->conf->delivers ? REPORT_DELIVERED : REPORT_RELAYED;
	size_t i, n = 0;

	*failed = 0;
	for (i = 0; i < v->n; i++) {
		const struct envelope_line *l = &w->envelope->rcpt[i];
		const struct reply_foreign *reply = &v->reply[i];

		if (!is_due(w, l, reply, mixed))
			continue;
		rcpt[n++] = (struct report_rcpt){ l, reply, reply->code < 300 ? yes : REPORT_FAILED };
		*failed += reply->code >= 300;
	}
	return n;
}

/*
 * Run the rest of the chain for our report. It is a call of its own, so the facts of the message in hand stay.
 * Returns 0 with the verdict for the one recipient, or -1 with errno set (ENOMEM).
 */
static int
run_report(struct work *w, const char *id, int message, int envelope, struct verdict *v)
{
	struct call call = { .kind = CALL_MESSAGE, .in = -1, .out = -1, .envelope = -1, .stop = -1, .log = w->call->log };
	int r = -1;

	if (facts_copy(&call.facts, &w->call->facts) == 0 && report_facts(&call.facts, id) == 0 &&
	    call_set_deadline(&call, w->deadline_ms) == 0)
		r = call_deliver(&call, w->call->next, message, envelope, 1, w->deadline_ms, v);
	call_end(&call);
	return r;
}

/* Returns the report's envelope as a file, or -1 with errno set. */
static int
envelope_of_report(const struct work *w, const char *params)
{
	struct buf b = { 0 };
	int fd = -1;

	if (report_envelope(&b, w->envelope, params) == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

/* Send the report and set id to its id. Returns 0 if it was accepted, or -1 with the reason logged. */
static int
report(struct work *w, const struct report_rcpt *rcpt, size_t n, char id[ID_MAX])
{
	char host[256];
	struct verdict v = { 0 };
	const char *params;
	const struct report r = {
		.envelope = w->envelope,
		.message = w->call->in,
		.id = w->call->log.message,
		.arrival = w->arrival,
		.rcpt = rcpt,
		.n = n,
		.report_id = id,
		.host = offer_host(&w->call->facts, host, sizeof host),
		.from = w->conf->from,
		.date = time(NULL),
		.quote_max = w->conf->quote_max,
	};
	int message, envelope = -1, result = -1;

	id_make(id);
	message = report_make(&r, &params);
	if (message >= 0)
		envelope = envelope_of_report(w, params);
	if (envelope < 0 || run_report(w, id, message, envelope, &v) < 0)
		log_error(&w->call->log, "failed", "report:");
	else if (v.reply[0].code < 300)
		result = 0;
	else {
		char code[12];

		snprintf(code, sizeof code, "%d", v.reply[0].code);
		log_event(&w->call->log, "unreported", "report", id, "code", code, "reason", v.reply[0].text, (char *)NULL);
	}
	verdict_free(&v);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	return result;
}

/* Log every failed recipient that is in no report: the sender wanted none, or is the null reverse-path. */
static void
log_untold(const struct work *w, const struct verdict *v)
{
	char code[12], rcpt[ADDR_MAILBOX_MAX + 1];
	size_t i;

	for (i = 0; i < v->n; i++) {
		const struct envelope_line *l = &w->envelope->rcpt[i];

		if (v->reply[i].code < 300 || is_due(w, l, &v->reply[i], true))
			continue;
		snprintf(code, sizeof code, "%d", v->reply[i].code);
		snprintf(rcpt, sizeof rcpt, "%.*s", (int)l->path_len, l->path);
		log_event(&w->call->log, "untold", "code", code, "rcpt", rcpt, "reason", v->reply[i].text, (char *)NULL);
	}
}

/* Make every refusal 250 if told, or else every reply 451. Returns 0, or -1 with errno set (ENOMEM). */
static int
level(struct verdict *v, bool told)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		if (told && v->reply[i].code < 300)
			continue;
		reply_foreign_free(&v->reply[i]);
		if (reply_set(&v->reply[i], told ? REPLY_REPORTED : REPLY_UNREPORTED, NULL) < 0)
			return -1;
	}
	return 0;
}

static void
log_done(const struct work *w, const struct verdict *v, const char *id, size_t n, size_t failed)
{
	char failures[24], successes[24], code[12], ms[24];
	const struct reply_foreign *worst;
	bool mixed;

	worst = verdict_reduce(v, &mixed);
	snprintf(failures, sizeof failures, "%zu", failed);
	snprintf(successes, sizeof successes, "%zu", n - failed);
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, "done", "report", n ? id : NULL, "failed", n ? failures : NULL, "reached",
	    n ? successes : NULL, "code", code, "ms", ms, (char *)NULL);
}

/* The rest of the chain has answered: send the report that is due, and answer. */
static int
conclude(struct work *w, struct verdict *v)
{
	struct report_rcpt *rcpt = calloc(v->n, sizeof *rcpt);
	bool mixed, told;
	size_t n, failed = 0;
	char id[ID_MAX];

	if (!rcpt)
		return call_failed(w->call, "report");
	verdict_reduce(v, &mixed);
	mixed = mixed && !w->partial;
	told = !mixed || !w->refused; /* no report can name a recipient that an earlier stage refused */
	n = told ? choose(w, v, mixed, rcpt, &failed) : 0;
	if (n > 0 && report(w, rcpt, n, id) < 0)
		told = failed == 0; /* without failures the message must not be sent again */
	if (mixed && told)
		log_untold(w, v);
	free(rcpt);
	if (mixed && level(v, told) < 0)
		return call_failed(w->call, "verdict");
	log_done(w, v, id, n, failed);
	return call_answer(w->call, v);
}

/* Run the rest of the chain for the message, keeping a share of the time for a report. */
static int
run(struct work *w)
{
	struct call *call = w->call;
	int left = clock_left(w->deadline_ms);
	int64_t share = left / 5 < REPORT_MS ? left / 5 : REPORT_MS;
	struct verdict v = { 0 };
	int r = -1;

	if ((w->partial || w->refused || facts_set(&call->facts, "MSA_PARTIAL", "") == 0) &&
	    call_set_deadline(call, w->deadline_ms - share) == 0)
		r = call_deliver(call, call->next, call->in, w->passed, w->envelope->nrcpt, w->deadline_ms - share, &v);
	if (r < 0)
		return call_failed(w->call, "verdict");
	r = conclude(w, &v);
	verdict_free(&v);
	return r;
}

/* Returns a new envelope without the DSN parameters, or call's if we fulfil none of them; or -1 with errno set. */
static int
pass_envelope(const struct work *w)
{
	struct buf b = { 0 };
	int fd = -1;

	if (w->offers & CAP_DSN || !dsn_is_asked(w->envelope))
		return w->call->envelope;
	if (dsn_strip(&b, w->envelope) == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

static int
serve_envelope(struct work *w)
{
	struct call *call = w->call;
	size_t i;
	int r;

	for (i = 0; i < w->envelope->nrcpt; i++)
		w->refused |= w->envelope->rcpt[i].kind == ENVELOPE_REPLY;
	w->passed = pass_envelope(w);
	if (w->passed < 0)
		return call_failed(call, "envelope");
	if (wants_success(w) || (w->envelope->nrcpt > 1 && !w->partial && !w->refused))
		r = run(w);
	else { /* no verdict could lead to a report */
		log_event(&call->log, "done", (char *)NULL);
		r = call_next_with(call, -1, w->passed);
	}
	if (w->passed != call->envelope)
		close(w->passed);
	return r;
}

static int
serve(struct call *call, void *arg)
{
	struct work w = {
		.call = call, .conf = arg, .envelope = call_envelope(call), .start_ms = clock_ms(), .arrival = time(NULL)
	};

	if (!w.envelope)
		return call_failed(call, NULL);
	if (offer_of_next_hop(&w.offers, w.conf->keywords, &call->log) < 0)
		return call_failed(call, "offers");
	w.deadline_ms = call_own_deadline(call);
	w.partial = facts_get(&call->facts, "MSA_PARTIAL") != NULL;
	return serve_envelope(&w);
}

static void
init(void *arg)
{
	((struct conf *)arg)->quote_max = REPORT_QUOTE_MAX;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	long long n;

	switch (letter) {
	case 'd':
		conf->delivers = true;
		return 0;
	case 'f':
		conf->from = value;
		return 0;
	case 'k':
		conf->keywords = value;
		return 0;
	default:
		if (stage_number(i, letter, value, 0, QUOTE_MAX, &n) < 0)
			return -1;
		conf->quote_max = (size_t)n;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	struct addr from;

	if (conf->keywords && !(conf->offers = offerfile_name(conf->keywords)) && !ehlo_list_is_valid(conf->keywords))
		return stage_wrong(i, conf->keywords, "not keywords with commas or newlines between");
	if (conf->from && (addr_mailbox(conf->from, strlen(conf->from), &from) < 0 || from.is_utf8))
		return stage_wrong(i, conf->from, "not an address in ASCII");
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	if (conf->offers)
		stage_reads(c, conf->offers);
}

static void
release(void *arg)
{
	free(((struct conf *)arg)->offers);
}

const struct stage bounce_stage = {
	.name = "bounce",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_TEMPORARY,
	.options = "df:k:q:",
	.usage = "[-d] [-f address] [-k keywords] [-q octets] " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.release = release,
};
