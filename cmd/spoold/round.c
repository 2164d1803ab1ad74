/* ISC licence, see LICENSE. */
#include "round.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "chain/dsn.h"
#include "chain/offer.h"
#include "mail/report.h"
#include "msa/msgfile.h"
#include "smtp/addr.h"
#include "smtp/ehlo.h"
#include "smtp/param.h"
#include "stage/run.h"

enum {
	RECORD_WAIT_S = 2, /* between two attempts to record */
	LOG_ID_MAX = 256,
};

/* One round. */
struct work {
	const struct round_conf *conf;
	const char *id;
	struct call call; /* has the facts of m while the chain runs */
	struct spoolrec m;
	int message;
	uint32_t offers;         /* CAP_*: the keywords that the next hop offers now */
	time_t now;
	bool returns;            /* an administrator has given up */
	bool has_by, by_returns; /* BY was given (RFC 2852), and with mode R */
	time_t by_end;
	int64_t start_ms;
};

/* The number of recipients in a state. */
static size_t
count(const struct work *w, enum spoolrec_state state)
{
	size_t i, n = 0;

	for (i = 0; i < w->m.envelope.nrcpt; i++)
		n += w->m.rcpt[i].state == state;
	return n;
}

static void
read_by(struct work *w)
{
	const char *value, *semi;
	size_t len;

	if (!envelope_param(&w->m.envelope.mail, "BY", &value, &len) || !value ||
	    !(semi = memchr(value, ';', len)) || semi + 1 == value + len)
		return;
	w->has_by = true;
	w->by_end = w->m.arrival + (time_t)strtoll(value, NULL, 10);
	w->by_returns = semi[1] == 'R' || semi[1] == 'r';
}

/*
 * Add BY with the time that is left. A next hop that delivers fulfils BY, so it gets none. For a next hop without
 * DELIVERBY, mode N is dropped (RFC 2852 4.1.4), and mode R is kept so that the last stage refuses it.
 */
static int
add_by(const struct work *w, struct buf *b, const char *value, size_t len)
{
	const char *semi = memchr(value, ';', len);

	if (!w->has_by || w->conf->delivers || (!w->by_returns && !(w->offers & CAP_DELIVERBY)))
		return 0;
	return buf_printf(b, " BY=%lld%.*s", (long long)(w->by_end - w->now), (int)(len - (size_t)(semi - value)), semi);
}

static int
add_mail(const struct work *w, struct buf *b)
{
	const struct envelope_line *mail = &w->m.envelope.mail;
	const char *s = mail->params, *end = s + strlen(s), *key, *value;
	size_t keylen, len;
	int r = buf_add(b, mail->text, (size_t)(mail->path + mail->path_len + 1 - mail->text));

	while (r == 0 && param_next(&s, end, &key, &keylen, &value, &len) > 0) {
		if (value && param_find(key, keylen, PARAM_OF_MAIL) == PARAM_BY)
			r = add_by(w, b, value, len);
		else
			r = buf_printf(b, " %.*s", (int)(value ? (size_t)(value - key) + len : keylen), key);
	}
	return r < 0 ? -1 : buf_puts(b, "\n");
}

/*
 * Write the envelope of the recipients that wait to a file. Copies are included until a first recipient was reached,
 * because their results are not known. Returns the descriptor, or -1 with errno set.
 */
static int
make_envelope(const struct work *w)
{
	const struct envelope *from = &w->m.envelope;
	bool copies = count(w, SPOOLREC_REACHED) == 0;
	struct buf b = { 0 }, stripped = { 0 };
	struct envelope e = { 0 };
	const char *why;
	size_t i;
	int r = add_mail(w, &b), fd = -1;

	for (i = 0; r == 0 && i < from->nrcpt + from->ncopy; i++)
		if (i < from->nrcpt ? w->m.rcpt[i].state == SPOOLREC_WAITING : copies)
			r = buf_printf(&b, "%s\n", from->rcpt[i].text);
	if (r == 0 && w->offers & CAP_DSN)
		fd = msgfile_of(b.p, b.len);
	else if (r == 0 && envelope_parse(&e, &b, &why) == 0 && dsn_strip(&stripped, &e) == 0)
		fd = msgfile_of(stripped.p, stripped.len);
	envelope_free(&e);
	buf_free(&stripped);
	buf_free(&b);
	return fd;
}

/* Log what became of recipient i, with its last reply. */
static void
log_rcpt(const struct work *w, size_t i, const char *event)
{
	const struct envelope_line *l = &w->m.envelope.rcpt[i];
	const struct reply_foreign *reply = &w->m.rcpt[i].reply;
	char rcpt[ADDR_MAILBOX_MAX + 1], line[REPLY_SHOWN_MAX];

	snprintf(rcpt, sizeof rcpt, "%.*s", (int)l->path_len, l->path);
	log_event(&w->call.log, event, "id", w->id, "rcpt", rcpt, "reply", reply->code ? reply_show(reply, line) : NULL,
	    (char *)NULL);
}

/* Take the replies of the verdict: one for each recipient that waits, in order. */
static void
take_verdict(struct work *w, struct verdict *v)
{
	size_t i, k = 0;

	for (i = 0; i < w->m.envelope.nrcpt; i++) {
		struct spoolrec_rcpt *r = &w->m.rcpt[i];

		if (r->state != SPOOLREC_WAITING)
			continue;
		reply_foreign_free(&r->reply);
		r->reply = v->reply[k];
		v->reply[k++] = (struct reply_foreign){ 0 };
		log_rcpt(w, i, r->reply.code < 300 ? "reached" : r->reply.code < 500 ? "deferred" : "refused");
		if (r->reply.code >= 300 && (r->reply.code < 500 || w->m.is_report))
			continue; /* a report never fails: if it ended here, nobody would ever know */
		r->state = r->reply.code < 300 ? SPOOLREC_REACHED : SPOOLREC_FAILED;
		r->told = false;
	}
}

/*
 * The recipients that wait have failed: with reply, or if that is REPLY_COUNT, with the last reply that they had. The
 * log has event.
 */
static void
give_up(struct work *w, enum reply reply, const char *event)
{
	size_t i;

	for (i = 0; i < w->m.envelope.nrcpt; i++) {
		struct spoolrec_rcpt *r = &w->m.rcpt[i];

		if (r->state != SPOOLREC_WAITING)
			continue;
		r->state = SPOOLREC_FAILED;
		r->told = false;
		if (reply != REPLY_COUNT) {
			reply_foreign_free(&r->reply);
			reply_set(&r->reply, reply, NULL);
		}
		log_rcpt(w, i, event);
	}
}

/* Run the rest of the chain for the recipients that wait. Returns 0, or -1: nothing was tried (logged). */
static int
try_now(struct work *w)
{
	bool in_time = w->has_by && w->by_returns && w->by_end - w->now < w->conf->attempt_s; /* BY ends the attempt */
	int64_t deadline_ms = clock_ms() + (int64_t)(in_time ? w->by_end - w->now : w->conf->attempt_s) * 1000;
	const struct next *next = w->m.is_report ? &w->conf->reports : &w->conf->next;
	size_t n = count(w, SPOOLREC_WAITING);
	struct verdict v = { 0 };
	char number[24];
	int envelope = make_envelope(w), r = -1;

	snprintf(number, sizeof number, "%zu", n);
	w->call.facts = w->m.facts;
	if (envelope >= 0 && facts_set(&w->call.facts, "MSA_RCPTS", number) == 0 &&
	    facts_set(&w->call.facts, "MSA_PARTIAL", "") == 0 && call_set_deadline(&w->call, deadline_ms) == 0)
		r = call_deliver(&w->call, next, w->message, envelope, n, deadline_ms, &v);
	w->m.facts = w->call.facts;
	if (r == 0)
		take_verdict(w, &v);
	else
		log_error(&w->call.log, "failed", "%s:", w->id);
	verdict_free(&v);
	if (envelope >= 0)
		close(envelope);
	return r;
}

static bool
is_delayed(const struct work *w)
{
	return (w->conf->delay_s > 0 && w->now >= w->m.arrival + w->conf->delay_s) ||
	    (w->has_by && !w->by_returns && w->now >= w->by_end);
}

/* Returns true if the sender has not been told the state of a recipient. */
static bool
is_news(const struct work *w, size_t i)
{
	return !w->m.rcpt[i].told && (w->m.rcpt[i].state != SPOOLREC_WAITING || is_delayed(w));
}

/* Returns true if the sender wants a report of that, and the next hop will not send one. *action is what it reports. */
static bool
is_wanted(const struct work *w, size_t i, enum report_action *action)
{
	unsigned notify = dsn_notify(&w->m.envelope.rcpt[i]);

	if (w->m.envelope.mail.path_len == 0)
		return false; /* never report about a report */
	switch (w->m.rcpt[i].state) {
	case SPOOLREC_FAILED:
		*action = REPORT_FAILED;
		return notify & DSN_FAILURE;
	case SPOOLREC_REACHED:
		*action = w->conf->delivers ? REPORT_DELIVERED : REPORT_RELAYED;
		return !(w->offers & CAP_DSN) && notify & DSN_SUCCESS;
	case SPOOLREC_WAITING:
		break;
	}
	*action = REPORT_DELAYED;
	return notify & DSN_DELAY;
}

/*
 * Mark news that the sender does not want as told; log the failures among them, which nobody else learns of.
 * Returns the number of recipients that are left to report.
 */
static size_t
settle(struct work *w)
{
	enum report_action action;
	size_t i, left = 0;

	for (i = 0; i < w->m.envelope.nrcpt; i++) {
		const struct envelope_line *l = &w->m.envelope.rcpt[i];
		struct spoolrec_rcpt *r = &w->m.rcpt[i];
		char code[12], rcpt[ADDR_MAILBOX_MAX + 1];

		if (!is_news(w, i))
			continue;
		if (is_wanted(w, i, &action)) {
			left++;
			continue;
		}
		r->told = true;
		if (r->state != SPOOLREC_FAILED)
			continue;
		snprintf(code, sizeof code, "%d", r->reply.code);
		snprintf(rcpt, sizeof rcpt, "%.*s", (int)l->path_len, l->path);
		log_event(&w->call.log, "untold", "code", code, "rcpt", rcpt, "reason", r->reply.text, (char *)NULL);
	}
	return left;
}

/* Returns true if the message is a report, and its recipient was refused for good. */
static bool
is_held(const struct work *w)
{
	return w->m.is_report && count(w, SPOOLREC_WAITING) > 0 && w->m.rcpt[0].reply.code >= 500;
}

/*
 * The time of the next attempt. A refused report has none: it waits for an administrator. The interval doubles each
 * time and varies at random. An attempt is never later than a moment at which something must be reported.
 */
static time_t
next_time(const struct work *w)
{
	const time_t moments[] = { w->m.arrival + w->conf->lifetime_s,
		w->conf->delay_s > 0 ? w->m.arrival + w->conf->delay_s : 0, w->has_by ? w->by_end : 0 };
	long long wait = w->conf->first_s;
	unsigned i, random = 0;
	time_t next;

	if (is_held(w))
		return SPOOLREC_NEVER;
	for (i = 1; i < w->m.tried && wait < w->conf->most_s; i++)
		wait *= 2;
	if (wait > w->conf->most_s)
		wait = w->conf->most_s;
	os_random(&random, sizeof random); /* if this fails, random stays 0 */
	next = w->now + (time_t)(wait - wait / 8 + (wait / 8 > 0 ? random % (wait / 4 + 1) : 0));
	for (i = 0; i < sizeof moments / sizeof *moments; i++)
		if (moments[i] > w->now && moments[i] < next)
			next = moments[i];
	return next;
}

static bool
is_stopping(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1;
}

/*
 * Save the record, or remove the message if no recipient waits and left is 0. must: a recipient was reached, and would
 * get the message again if the record were lost, so keep trying until the runner ends.
 * Returns 0 (also if somebody has removed the message), or -1 (logged).
 */
static int
record(const struct work *w, size_t left, bool must)
{
	bool over = left == 0 && count(w, SPOOLREC_WAITING) == 0, logged = false;

	while ((over ? spool_remove(&w->conf->spool, w->id) : spool_save(&w->conf->spool, w->id, &w->m)) < 0) {
		if (errno == ENOENT)
			return 0;
		if (!logged)
			log_error(&w->call.log, "failed", "recording %s:", w->id);
		logged = true;
		if (!must || is_stopping())
			return -1;
		sleep(RECORD_WAIT_S);
	}
	return 0;
}

/* Put a report into the spool as a new message. Returns 0, or -1 with errno set. */
static int
put_report(struct work *w, const char *report_id, int message, const char *params)
{
	struct spoolrec m = { .arrival = w->now, .next = w->now, .is_report = true };
	struct buf b = { 0 };
	const char *why;
	char id[ID_MAX];
	int r = report_envelope(&b, &w->m.envelope, params), e;

	if (r == 0)
		r = envelope_parse(&m.envelope, &b, &why);
	if (r == 0)
		r = facts_copy(&m.facts, &w->m.facts);
	if (r == 0)
		r = report_facts(&m.facts, report_id);
	if (r == 0)
		r = spool_write(&w->conf->spool, &m, message, file_size(message), 0, id);
	if (r == 0 && (r = spool_commit(&w->conf->spool, id)) < 0)
		spool_discard(&w->conf->spool, id);
	e = errno;
	buf_free(&b);
	spoolrec_free(&m);
	errno = e;
	return r;
}

/* Report all news that the sender wants. Returns 0: the report, with id report_id, is in the spool; or -1 (logged). */
static int
report(struct work *w, size_t n, char report_id[ID_MAX])
{
	struct report_rcpt *rcpt = calloc(n, sizeof *rcpt);
	char host[256];
	const char *params;
	struct report r = {
		.envelope = &w->m.envelope,
		.message = w->message,
		.id = w->call.log.message ? w->call.log.message : w->id,
		.arrival = w->m.arrival,
		.rcpt = rcpt,
		.report_id = report_id,
		.host = offer_host(&w->m.facts, host, sizeof host),
		.from = w->conf->from,
		.date = w->now,
		.until = w->m.arrival + w->conf->lifetime_s,
		.quote_max = w->conf->quote_max,
	};
	size_t i;
	int message = -1, result = -1;

	id_make(report_id);
	for (i = 0; rcpt && i < w->m.envelope.nrcpt; i++)
		if (is_news(w, i) && is_wanted(w, i, &rcpt[r.n].action)) {
			rcpt[r.n].line = &w->m.envelope.rcpt[i];
			rcpt[r.n++].reply = &w->m.rcpt[i].reply;
		}
	if (rcpt)
		message = report_make(&r, &params);
	if (message >= 0)
		result = put_report(w, report_id, message, params);
	if (result < 0)
		log_error(&w->call.log, "failed", "report:");
	if (message >= 0)
		close(message);
	free(rcpt);
	for (i = 0; result == 0 && i < w->m.envelope.nrcpt; i++)
		if (is_news(w, i))
			w->m.rcpt[i].told = true;
	return result;
}

static void
log_round(const struct work *w, const char *report_id)
{
	char reached[24], failed[24], waiting[24], next[24], ms[24];
	const char *reason = NULL, *event = "done";
	size_t i, left = count(w, SPOOLREC_WAITING);

	if (left > 0)
		event = is_held(w) ? "held" : w->now >= w->m.arrival + w->conf->lifetime_s ? "overdue" : "waiting";

	for (i = 0; left > 0 && i < w->m.envelope.nrcpt && !reason; i++)
		if (w->m.rcpt[i].state == SPOOLREC_WAITING)
			reason = w->m.rcpt[i].reply.text;
	snprintf(reached, sizeof reached, "%zu", count(w, SPOOLREC_REACHED));
	snprintf(failed, sizeof failed, "%zu", count(w, SPOOLREC_FAILED));
	snprintf(waiting, sizeof waiting, "%zu", left);
	snprintf(next, sizeof next, "%lld", (long long)(w->m.next - w->now));
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call.log, event, "id", w->id, "reached", reached, "failed", failed, "waiting",
	    left ? waiting : NULL, "next", left && !is_held(w) ? next : NULL, "reason", reason, "report", report_id, "ms", ms,
	    (char *)NULL);
}

/*
 * Take what an administrator wants into the record, so that an order which comes during the round counts for the next
 * one. SPOOL_RETURN stays until the message goes; a report has no sender who could get it back.
 * Returns 0, or -1 with errno set.
 */
static int
take_orders(struct work *w)
{
	const struct spool *s = &w->conf->spool;

	w->returns = spool_has_mark(s, "cur", w->id, SPOOL_RETURN);
	if (w->returns && w->m.is_report) {
		w->returns = false;
		if (spool_unmark(s, w->id, SPOOL_RETURN) < 0)
			return -1;
	}
	if (!spool_has_mark(s, "cur", w->id, SPOOL_TRY))
		return 0;
	w->m.next = w->now;
	if (spool_save(s, w->id, &w->m) < 0)
		return errno == ENOENT ? -1 : 0; /* a full disk prevents no attempt; the mark causes another one */
	return spool_unmark(s, w->id, SPOOL_TRY);
}

/* Do the round of a loaded message. As round_run. */
static int
go(struct work *w)
{
	size_t reached = count(w, SPOOLREC_REACHED), left;
	char report_id[ID_MAX];
	int r;

	read_by(w);
	if (w->returns)
		give_up(w, REPLY_CANCELLED, "cancelled");
	else if (w->has_by && w->by_returns && w->now >= w->by_end)
		give_up(w, REPLY_EXPIRED, "expired");
	else if (count(w, SPOOLREC_WAITING) > 0) {
		if (try_now(w) < 0)
			return -1;
		w->m.tried++;
		w->now = time(NULL);
	}
	if (w->now >= w->m.arrival + w->conf->lifetime_s && !w->m.is_report && !spool_is_held(&w->conf->spool, "cur", w->id))
		give_up(w, REPLY_COUNT, "expired");
	w->m.next = next_time(w);
	left = settle(w);
	r = record(w, left, count(w, SPOOLREC_REACHED) > reached);
	if (r == 0 && left > 0) {
		r = report(w, left, report_id);
		if (r == 0) /* if this fails it is reported again: better twice than never */
			r = record(w, 0, false);
		log_round(w, r == 0 ? report_id : NULL);
		return r;
	}
	log_round(w, NULL);
	return r;
}

int
round_run(const struct round_conf *conf, const struct log *log, const char *id)
{
	struct work w = {
		.conf = conf,
		.id = id,
		.call = { .kind = CALL_MESSAGE, .in = -1, .out = -1, .envelope = -1, .stop = -1, .log = *log },
		.message = -1,
		.now = time(NULL),
		.start_ms = clock_ms(),
	};
	char session[LOG_ID_MAX], message[LOG_ID_MAX];
	const char *why, *s;
	int r;

	if (spool_load(&conf->spool, "cur", id, &w.m, &w.message, &why) < 0) {
		if (errno == ENOENT && spool_due(&conf->spool, id, &w.now) < 0 && errno == ENOENT)
			return 0; /* somebody has removed the message */
		log_error(log, "failed", "%s: %s:", id, why);
		return -1;
	}
	w.call.log.no_addresses = facts_get(&w.m.facts, "MSA_PRIVATE") != NULL;
	if ((s = facts_get(&w.m.facts, "MSA_SESSION"))) {
		snprintf(session, sizeof session, "%s", s);
		w.call.log.session = session;
	}
	if ((s = facts_get(&w.m.facts, "MSA_MESSAGE"))) {
		snprintf(message, sizeof message, "%s", s);
		w.call.log.message = message;
	}
	if (spool_is_held(&conf->spool, "cur", id))
		r = 0;
	else if (offer_of_next_hop(&w.offers, w.conf->keywords, &w.call.log) == 0 && take_orders(&w) == 0)
		r = go(&w);
	else if (errno == ENOENT)
		r = 0; /* somebody has removed the message */
	else {
		log_error(&w.call.log, "failed", "%s:", id);
		r = -1;
	}
	close(w.message);
	spoolrec_free(&w.m);
	return r;
}
