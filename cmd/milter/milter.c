/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "chain/limits.h"
#include "msa/msgfile.h"
#include "stage/instance.h"
#include "stage/run.h"
#include "talk.h"

enum { WAIT_S = 60 }; /* for the whole conversation about a message; the rest of the chain needs time too */

enum quarantine { QUARANTINE_TEMPFAIL, QUARANTINE_REFUSE, QUARANTINE_HEADER };

struct conf {
	struct contact milter;
	const char *daemon;
	bool pass;      /* a milter that does not answer is as good as one that has no objection */
	bool keeps;     /* nothing is dropped silently: discarding is refusing */
	enum quarantine quarantine;
	int wait_s;
};

/* A message in hand. */
struct work {
	struct call *call;
	const struct conf *conf;
	const struct envelope *envelope;
	struct talk talk;
	bool *gone;         /* for each recipient: the milter has removed it, and it gets 250; owned */
	size_t ngone;
	int64_t start_ms;
};

static const char field[] = "X-Milter-Quarantine"; /* of -q header */
/* With -d refuse, of a recipient that the milter removes. */
static const char refusal[] = "550 5.7.1 Refused by site policy";

static int
answer_all(struct work *w, const char *event, struct reply_foreign *r)
{
	struct verdict v = { .reply = calloc(1, sizeof *v.reply), .n = 1 };
	int code = r->code >= 500 ? CHAIN_REFUSED : CHAIN_LATER;
	char line[REPLY_SHOWN_MAX];

	if (!v.reply)
		return call_failed(w->call, "verdict");
	log_event(&w->call->log, event, "to", w->conf->milter.text, "reply", reply_show(r, line), (char *)NULL);
	v.reply[0] = *r;
	*r = (struct reply_foreign){ .code = 0 };
	return call_answer(w->call, &v) == CHAIN_DONE ? code : CHAIN_LATER;
}

static int
refuse(struct work *w, const char *why, enum reply r, const char *text)
{
	log_event(&w->call->log, "refused", "to", w->conf->milter.text, "why", why, (char *)NULL);
	return call_verdict(w->call, r, text);
}

/* The milter was of no use. Returns the exit code. */
static int
fail(struct work *w, const char *why)
{
	log_event(&w->call->log, "failed", "to", w->conf->milter.text, "reason", why, "passed", w->conf->pass ? "yes" : NULL,
	    (char *)NULL);
	return w->conf->pass ? call_next(w->call) : call_verdict(w->call, REPLY_LOCAL_ERROR, NULL);
}

/* The new envelope */

static bool
is_listed(const struct addr *list, size_t n, const struct envelope_line *l)
{
	size_t i;

	for (i = 0; i < n && (list[i].len != l->path_len || memcmp(list[i].text, l->path, l->path_len) != 0); i++)
		;
	return i < n;
}

/* Note which recipients the milter has removed. */
static void
note_removed(struct work *w)
{
	const struct changes *c = &w->talk.changes;
	size_t i;

	for (i = 0; i < w->envelope->nrcpt; i++)
		if (w->envelope->rcpt[i].kind == ENVELOPE_RCPT && !w->talk.refused[i].code &&
		    is_listed(c->removed, c->nremoved, &w->envelope->rcpt[i])) {
			w->gone[i] = true;
			w->ngone++;
		}
}

/* Returns true if an address that the milter gave is not among the recipients that are left. */
static bool
is_new(const struct work *w, const struct addr *a)
{
	const struct envelope *e = w->envelope;
	size_t i;

	for (i = 0; i < e->nrcpt + e->ncopy; i++)
		if (e->rcpt[i].kind != ENVELOPE_REPLY && is_listed(a, 1, &e->rcpt[i]) &&
		    (i >= e->nrcpt || (!w->gone[i] && !w->talk.refused[i].code)))
			return false;
	return true;
}

static int
add_sender(const struct work *w, struct buf *b)
{
	const struct envelope_line *mail = &w->envelope->mail;

	if (!w->talk.changes.from_changed)
		return buf_printf(b, "%s\n", mail->text);
	return buf_printf(b, "MAIL FROM:<%s>%s%s\n", w->talk.changes.from.text, *mail->params ? " " : "", mail->params);
}

/* Append a reply as one line. */
static int
add_reply(struct buf *b, const struct reply_foreign *r)
{
	char line[REPLY_SHOWN_MAX], *p;

	reply_show(r, line);
	for (p = line; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return buf_printf(b, "%s\n", line);
}

/* How the envelope is written if the milter has removed recipients. */
enum without {
	KEEP_REMOVED, /* -d refuse: their lines become refusals */
	SKIP_REMOVED, /* their lines are left out, and the addresses that the milter added are recipients in their place */
	ONLY_COPIES,  /* nobody is left: the copies that earlier stages asked for are the recipients */
};

/*
 * Make the envelope. *n is the number of lines that have a reply; of these, the lines from *own on are those of
 * addresses that the milter added. Returns its descriptor, or -1.
 */
static int
write_envelope(const struct work *w, enum without how, size_t *own, size_t *n)
{
	const struct envelope *e = w->envelope;
	const struct changes *c = &w->talk.changes;
	const bool in_place = how == SKIP_REMOVED;
	struct buf b = { 0 };
	int fd = -1, pass, r = add_sender(w, &b);
	size_t i;

	*n = 0;
	for (i = 0; r == 0 && i < e->nrcpt; i++) {
		if (how == ONLY_COPIES || (how == SKIP_REMOVED && w->gone[i]))
			continue;
		++*n;
		if (w->gone[i])
			r = buf_printf(&b, "%s\n", refusal);
		else if (w->talk.refused[i].code)
			r = add_reply(&b, &w->talk.refused[i]);
		else
			r = buf_printf(&b, "%s\n", e->rcpt[i].text);
	}
	*own = *n;
	for (pass = 0; pass < 2; pass++) { /* recipients stand before copies */
		for (i = 0; r == 0 && i < c->nadded && pass == !in_place; i++)
			if (is_new(w, &c->added[i])) {
				*n += in_place;
				r = buf_printf(&b, "%s TO:<%s>\n", in_place ? "RCPT" : "COPY", c->added[i].text);
			}
		for (i = e->nrcpt; r == 0 && i < e->nrcpt + e->ncopy && pass == in_place; i++) {
			*n += how == ONLY_COPIES;
			r = buf_printf(&b, "%s%s\n", how == ONLY_COPIES ? "RCPT" : "COPY", e->rcpt[i].text + strlen("COPY"));
		}
	}
	if (r == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

/* Returns true if an address that the milter gave needs SMTPUTF8, which the message does not have. */
static bool
lacks_utf8(const struct work *w)
{
	const struct changes *c = &w->talk.changes;
	bool is_utf8 = c->from_changed && c->from.is_utf8;
	const char *value;
	size_t i, len;

	for (i = 0; i < c->nadded; i++)
		is_utf8 |= c->added[i].is_utf8;
	return is_utf8 && !envelope_param(&w->envelope->mail, "SMTPUTF8", &value, &len);
}

/* Returns true if a line is left that the milter has not removed and nobody has refused. */
static bool
anybody_left(const struct work *w)
{
	size_t i;

	for (i = 0; i < w->envelope->nrcpt; i++)
		if (w->envelope->rcpt[i].kind == ENVELOPE_RCPT && !w->talk.refused[i].code && !w->gone[i])
			return true;
	return false;
}

/* Make the replies of those who are refused already. Returns 0, or -1 with errno set (ENOMEM). */
static int
reply_refused(const struct work *w, struct verdict *v)
{
	const struct envelope *e = w->envelope;
	const char *text;
	size_t i, len;
	int code, r = 0;
	bool last;

	for (i = 0; r == 0 && i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_REPLY) {
			reply_line(e->rcpt[i].text, strlen(e->rcpt[i].text), &code, &last, &text, &len); /* it was checked */
			r = reply_take(&v->reply[i], code, text, len);
		} else if (w->talk.refused[i].code)
			r = reply_copy(&v->reply[i], &w->talk.refused[i]);
	return r;
}

/* Run the rest of the chain with n lines. Returns 0, or -1 with errno set. */
static int
deliver_lines(struct work *w, int message, int envelope, size_t n, struct verdict *part)
{
	struct call *call = w->call;
	int64_t deadline_ms = call_own_deadline(call);
	char rcpts[24];

	snprintf(rcpts, sizeof rcpts, "%zu", n);
	if (facts_set(&call->facts, "MSA_RCPTS", rcpts) < 0 || call_set_deadline(call, deadline_ms) < 0)
		return -1;
	return call_deliver(call, call->next, message, envelope, n, deadline_ms, part);
}

/* Returns true if the milter gave an address that gets the message in place of those that it removed. */
static bool
has_substitute(const struct work *w)
{
	size_t i;

	for (i = 0; i < w->talk.changes.nadded; i++)
		if (is_new(w, &w->talk.changes.added[i]))
			return true;
	return false;
}

/*
 * Returns the reply of the recipients that the milter has removed, whose lines the envelope does not have; NULL: 250.
 * They get what the addresses in their place get, the lines from own on of part. Without such addresses they get what
 * the others get, if nobody took the message: a client that cannot hear replies of single recipients must hear why.
 */
static const struct reply_foreign *
reply_of_removed(const struct work *w, const struct verdict *part, size_t own)
{
	const struct verdict substitutes = { .reply = part->reply + own, .n = part->n - own };
	bool mixed;
	size_t i;

	if (substitutes.n > 0)
		return verdict_reduce(&substitutes, &mixed);
	if (part->n == 0 || facts_get(&w->call->facts, "MSA_PARTIAL"))
		return NULL;
	for (i = 0; i < part->n; i++)
		if (part->reply[i].code / 100 == 2)
			return NULL;
	return verdict_reduce(part, &mixed);
}

/* Returns the first refusal of v, in which the recipients without one have no reply yet. */
static const struct reply_foreign *
first_refusal(const struct verdict *v)
{
	size_t i;

	for (i = 0; i < v->n && v->reply[i].code == 0; i++)
		;
	return i < v->n ? &v->reply[i] : NULL;
}

/*
 * The milter has removed recipients: run the rest of the chain without them. If it has removed all, only the copies
 * that earlier stages asked for are made, and whatever becomes of them changes no reply. If all that it has not removed
 * are refused, nothing is delivered. Returns the exit code.
 */
static int
deliver_without(struct work *w, int message)
{
	struct verdict part = { .n = 0 }, v = { .n = 0 };
	const struct reply_foreign *removed = NULL;
	const bool anybody = anybody_left(w) || has_substitute(w), all = w->ngone == w->envelope->nrcpt;
	size_t n, own, i, k = 0;
	int envelope = write_envelope(w, anybody ? SKIP_REMOVED : ONLY_COPIES, &own, &n);
	int r = envelope < 0 ? -1 : verdict_open(&v, w->envelope->nrcpt);

	v.n = r == 0 ? w->envelope->nrcpt : 0;
	if (r == 0 && !anybody)
		r = reply_refused(w, &v);
	if (r == 0 && n > 0 && (anybody || all))
		r = deliver_lines(w, message, envelope, n, &part);
	if (r == 0 && anybody)
		removed = reply_of_removed(w, &part, own);
	else if (r == 0 && !facts_get(&w->call->facts, "MSA_PARTIAL"))
		removed = first_refusal(&v);
	/* The message may be delivered: without memory, replies only lack their text. */
	for (i = 0; r == 0 && i < v.n; i++)
		if (w->gone[i] && removed)
			reply_copy(&v.reply[i], removed);
		else if (w->gone[i])
			reply_set(&v.reply[i], REPLY_OK, NULL);
	for (i = 0; r == 0 && anybody && i < v.n; i++)
		if (!w->gone[i] && k < part.n) {
			v.reply[i] = part.reply[k];
			part.reply[k++] = (struct reply_foreign){ .code = 0 };
		}
	verdict_free(&part);
	if (envelope >= 0)
		close(envelope);
	if (r == 0)
		return call_answer(w->call, &v);
	verdict_free(&v);
	return call_failed(w->call, "verdict");
}

/* The new message */

static int
write_message(struct work *w)
{
	struct msgfile m = { 0 };
	int fd = -1, e;

	if (changes_write(&w->talk.changes, &m, w->call->in, w->talk.size) == 0)
		fd = msgfile_finish(&m);
	e = errno;
	msgfile_free(&m);
	errno = e;
	return fd;
}

static void
log_done(const struct work *w, const char *result)
{
	const struct changes *c = &w->talk.changes;
	char added[24], removed[24], refused[24], ms[24];

	snprintf(added, sizeof added, "%zu", c->nadded);
	snprintf(removed, sizeof removed, "%zu", w->ngone);
	snprintf(refused, sizeof refused, "%zu", w->talk.nrefused);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, result, "to", w->conf->milter.text, "header", c->header_changed ? "changed" : NULL,
	    "body", c->body_replaced ? "replaced" : NULL, "from", c->from_changed ? c->from.text : NULL,
	    "added", c->nadded > 0 ? added : NULL, "removed", w->ngone > 0 ? removed : NULL,
	    "refused", w->talk.nrefused > 0 ? refused : NULL, "quarantine", c->quarantine ? c->reason.p : NULL,
	    "ms", ms, (char *)NULL);
}

/* Do what the milter has asked for, and hand the message on. Returns the exit code. */
static int
apply(struct work *w)
{
	const struct changes *c = &w->talk.changes;
	int message = -1, envelope = -1, code;
	size_t own, n;

	note_removed(w);
	if (c->header_changed || c->body_replaced)
		message = write_message(w);
	if (message < 0 && (c->header_changed || c->body_replaced))
		return call_failed(w->call, "message");
	log_done(w, "done");
	if (w->ngone > 0 && !w->conf->keeps)
		code = deliver_without(w, message < 0 ? w->call->in : message);
	else if (w->ngone > 0 || w->talk.nrefused > 0 || c->from_changed || c->nadded > 0) {
		envelope = write_envelope(w, KEEP_REMOVED, &own, &n);
		code = envelope < 0 ? call_failed(w->call, "envelope") : call_next_with(w->call, message, envelope);
	} else
		code = call_next_with(w->call, message, -1);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	return code;
}

static int
quarantine(struct work *w)
{
	struct changes *c = &w->talk.changes;

	switch (w->conf->quarantine) {
	case QUARANTINE_TEMPFAIL:
		log_done(w, "quarantined");
		return call_verdict(w->call, REPLY_LOCAL_ERROR, NULL);
	case QUARANTINE_REFUSE:
		log_done(w, "quarantined");
		return call_verdict(w->call, REPLY_POLICY, NULL);
	case QUARANTINE_HEADER:
		break;
	}
	if (changes_add(c, field, c->reason.len > 0 ? c->reason.p : "yes") < 0)
		return call_failed(w->call, "header");
	return apply(w);
}

/* Give each recipient a reply: the refusal if there is one, else r. Returns the exit code. */
static int
answer_each(struct work *w, enum reply r)
{
	struct verdict v = { .n = 0 };
	size_t i;
	int failed = verdict_open(&v, w->envelope->nrcpt);

	v.n = failed ? 0 : w->envelope->nrcpt;
	if (!failed)
		failed = reply_refused(w, &v);
	for (i = 0; !failed && i < v.n; i++)
		if (v.reply[i].code == 0)
			failed = reply_set(&v.reply[i], r, NULL);
	if (!failed)
		return call_answer(w->call, &v);
	verdict_free(&v);
	return call_failed(w->call, "verdict");
}

/* Do what came of the conversation. Returns the exit code. */
static int
conclude(struct work *w, enum talk_result result)
{
	switch (result) {
	case TALK_DONE:
		if (lacks_utf8(w))
			return fail(w, "an address that needs SMTPUTF8");
		return w->talk.changes.quarantine ? quarantine(w) : apply(w);
	case TALK_ACCEPTED:
		return apply(w);
	case TALK_REFUSED:
		return answer_all(w, "refused", &w->talk.reply);
	case TALK_NOBODY:
		log_done(w, "refused");
		return answer_each(w, REPLY_POLICY);
	case TALK_DISCARDED:
		log_done(w, w->conf->keeps ? "refused" : "discarded");
		return answer_each(w, w->conf->keeps ? REPLY_POLICY : REPLY_OK);
	case TALK_BAD:
		return refuse(w, w->talk.why, REPLY_BAD_MESSAGE, NULL);
	case TALK_FAILED:
		break;
	}
	return fail(w, w->talk.why);
}

/* Show the message, whose header is h, to the milter. Returns the exit code. */
static int
serve_message(struct work *w, struct header *h)
{
	struct call *call = w->call;
	enum talk_result result;
	int64_t deadline_ms = call_own_deadline(call);
	char why[STARTER_WHY];
	int fd;

	switch (header_read(h, call->in, HEADER_MAX)) {
	case HEADER_LONG:
		return refuse(w, "header is too long", REPLY_BAD_MESSAGE, NULL);
	case HEADER_ERROR:
		return call_failed(call, "header");
	case HEADER_OK:
		break;
	}
	if (h->bare)
		return refuse(w, "bare CR or LF in the header", REPLY_BARE, NULL);
	w->gone = calloc(w->envelope->nrcpt, sizeof *w->gone);
	w->talk.size = file_size(call->in);
	if (!w->gone || w->talk.size < 0)
		return call_failed(call, "message");
	if (w->start_ms + (int64_t)w->conf->wait_s * 1000 < deadline_ms)
		deadline_ms = w->start_ms + (int64_t)w->conf->wait_s * 1000;
	fd = contact_open(&w->conf->milter, deadline_ms, why);
	if (fd < 0)
		return fail(w, why);
	result = talk(&w->talk, fd, deadline_ms);
	close(fd); /* the next program must not get it */
	return conclude(w, result);
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct header h = { 0 };
	struct work w = { .call = call, .conf = conf, .envelope = call_envelope(call), .start_ms = clock_ms() };
	int code;

	if (!w.envelope)
		return call_failed(call, NULL);
	w.talk = (struct talk){ .call = call, .envelope = w.envelope, .header = &h, .daemon = conf->daemon };
	code = serve_message(&w, &h);
	talk_free(&w.talk);
	free(w.gone);
	header_free(&h);
	return code;
}

static void
init(void *arg)
{
	*(struct conf *)arg = (struct conf){ .daemon = "ORIGINATING", .wait_s = WAIT_S };
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	static const char *const ways[] = { "tempfail", "refuse", "header" };
	struct conf *conf = arg;
	long long n;
	size_t way;

	switch (letter) {
	case 'D':
		conf->daemon = value;
		return 0;
	case 'd':
		conf->keeps = strcmp(value, "refuse") == 0;
		return conf->keeps || strcmp(value, "accept") == 0 ? 0 : stage_wrong(i, "-d", "%s is not accept or refuse", value);
	case 'p':
		conf->pass = true;
		return 0;
	case 'q':
		for (way = 0; way < sizeof ways / sizeof *ways && strcmp(ways[way], value) != 0; way++)
			;
		conf->quarantine = (enum quarantine)way;
		return way < sizeof ways / sizeof *ways ? 0 : stage_wrong(i, "-q", "%s is not tempfail, refuse or header", value);
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

	return contact_set(&conf->milter, i->words[0]) == 0 ? 0 :
	    stage_wrong(i, i->words[0], "neither host:port nor the path of a socket");
}

static void
claim(const void *arg, struct claims *c)
{
	contact_claim(&((const struct conf *)arg)->milter, c);
}

static int
prepare(void *arg)
{
	return contact_prepare(&((struct conf *)arg)->milter);
}

static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	char why[STARTER_WHY];
	int fd;

	if (!i->asked->network)
		return;
	fd = contact_open(&conf->milter, clock_ms() + 10000, why);
	if (fd < 0)
		stage_found(i, conf->milter.text, "start the milter that listens there, or correct the address", "%s", why);
	else
		close(fd);
}

const struct stage milter_stage = {
	.name = "milter",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_NETWORK | STAGE_TEMPORARY,
	.options = "D:d:pq:t:",
	.usage = "[-p] [-D name] [-d accept|refuse] [-q tempfail|refuse|header] [-t seconds] " STAGE_USAGE
	    " address prog [arg ...]",
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
