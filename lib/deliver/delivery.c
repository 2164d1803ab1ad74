/* ISC licence, see LICENSE. */
#include "deliver/delivery.h"
#include "smtp/param.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "chain/limits.h"
#include "chain/verdict.h"
#include "mail/draft.h"
#include "mail/header.h"
#include "smtp/addr.h"
#include "smtp/cap.h"

/* Parse an address without brackets. It must have a domain, or be postmaster. Returns 0, or -1. */
static int
take_address(struct addr *a, const char *text)
{
	char path[ADDR_MAILBOX_MAX + 64]; /* a longer one is cut off, so addr_path rejects it */
	size_t used;

	snprintf(path, sizeof path, "<%s>", text);
	if (addr_path(path, strlen(path), a, &used) < 0 || path[used] || (!a->has_domain && !addr_is_postmaster(a)))
		return -1;
	return 0;
}

int
delivery_envelope(struct buf *text, const char *sender, const char *mail_params, const char *const rcpt[], size_t n,
    const char *rcpt_params, const char **bad)
{
	struct addr from = { 0 }, to;
	bool utf8;
	size_t i;

	*bad = sender;
	if (*sender && take_address(&from, sender) < 0)
		return -1;
	utf8 = from.is_utf8;
	for (i = 0; i < n; i++) {
		*bad = rcpt[i];
		if (take_address(&to, rcpt[i]) < 0)
			return -1;
		utf8 |= to.is_utf8;
	}
	*bad = NULL;
	if (buf_printf(text, "MAIL FROM:<%s>%s%s\n", from.text, mail_params, utf8 ? " SMTPUTF8" : "") < 0)
		return -1;
	for (i = 0; i < n; i++)
		if (take_address(&to, rcpt[i]) < 0 || buf_printf(text, "RCPT TO:<%s>%s\n", to.text, rcpt_params) < 0)
			return -1;
	return 0;
}

/* The deadline of the delivery: wait_s from now, or earlier if MSA_DEADLINE requires that. */
static int64_t
deadline(const struct call *call, int64_t now_ms, int wait_s)
{
	int64_t most = now_ms + (int64_t)wait_s * 1000, own = call_own_deadline(call);

	return facts_get(&call->facts, "MSA_DEADLINE") && own < most ? own : most;
}

/* Answer the recipients that earlier stages have refused. Returns 0, or -1 with errno set (ENOMEM). */
static int
take_refused(struct delivery *d)
{
	const char *text;
	size_t i, len;
	int code;
	bool last;

	d->lines = d->envelope.nrcpt + d->envelope.ncopy;
	d->reply = calloc(d->lines, sizeof *d->reply);
	if (!d->reply)
		return -1;
	for (i = 0; i < d->envelope.nrcpt; i++) {
		const char *line = d->envelope.rcpt[i].text;
		struct reply_foreign r = { 0 };

		if (d->envelope.rcpt[i].kind != ENVELOPE_REPLY)
			continue;
		if (!reply_line(line, strlen(line), &code, &last, &text, &len) || reply_take(&r, code, text, len) < 0)
			return -1; /* out of memory, for the envelope was checked */
		delivery_answer(d, i, &r);
	}
	return 0;
}

static int
open_chain(struct delivery *d, const struct buf *envelope)
{
	const struct envelope *e;

	if (envelope) {
		log_error(&d->call->log, "misuse", "sender and recipients as options, in a chain");
		return -1;
	}
	e = call_envelope(d->call);
	if (!e)
		return -1;
	d->envelope = *e; /* the call's, which outlives the delivery */
	d->message = d->call->in;
	return 0;
}

static int
open_by_hand(struct delivery *d, const struct buf *envelope)
{
	const struct call *call = d->call;
	struct draft draft = { 0 };
	struct buf text = { 0 };
	const char *why;

	if (!envelope) {
		log_error(&call->log, "misuse", "neither in a chain nor given a sender and recipients");
		return -1;
	}
	if (buf_add(&text, envelope->p, envelope->len) < 0 || envelope_parse(&d->envelope, &text, &why) < 0) {
		log_error(&call->log, "failed", "envelope:");
		return -1;
	}
	d->message = draft_read(&draft, call->in);
	if (d->message < 0) {
		log_error(&call->log, "failed", "message:");
		return -1;
	}
	return 0;
}

static void
release(struct delivery *d)
{
	size_t i;

	for (i = 0; d->reply && i < d->lines; i++)
		reply_foreign_free(&d->reply[i]);
	free(d->reply);
	if (!d->in_chain)
		envelope_free(&d->envelope);
	if (!d->in_chain && d->message >= 0)
		close(d->message);
	*d = (struct delivery){ .message = -1 };
}

int
delivery_open(struct delivery *d, struct call *call, const struct buf *envelope, int wait_s, int *result)
{
	*d = (struct delivery){ .call = call, .message = -1, .accepted = "reached", .start_ms = clock_ms() };
	d->in_chain = call->kind == CALL_MESSAGE;
	d->partial = !d->in_chain || facts_get(&call->facts, "MSA_PARTIAL");
	d->deadline_ms = deadline(call, d->start_ms, wait_s);
	if ((d->in_chain ? open_chain(d, envelope) : open_by_hand(d, envelope)) == 0) {
		d->size = file_size(d->message);
		if (d->size >= 0 && take_refused(d) == 0)
			return 0;
		log_error(&call->log, "failed", "message:");
	}
	if (d->in_chain)
		*result = call_verdict(call, REPLY_LOCAL_ERROR, NULL);
	else
		*result = envelope ? CHAIN_LATER : CHAIN_MISUSE;
	release(d);
	return -1;
}

void
delivery_refuse_nothing(struct delivery *d)
{
	int is_there;

	if (d->in_chain)
		return;
	if (d->size == 0) {
		delivery_reply_all(d, REPLY_LOCAL_ERROR, "The input is empty: no message");
		return;
	}
	is_there = header_is_there(d->message);
	if (is_there <= 0)
		delivery_reply_all(d, is_there < 0 ? REPLY_LOCAL_ERROR : REPLY_BAD_MESSAGE,
		    is_there < 0 ? NULL : "The message has no header");
}

bool
delivery_is_pending(const struct delivery *d, size_t i)
{
	return d->reply[i].code == 0;
}

void
delivery_answer(struct delivery *d, size_t i, struct reply_foreign *r)
{
	reply_foreign_free(&d->reply[i]);
	d->reply[i] = *r;
	*r = (struct reply_foreign){ 0 };
	if (reply_translate(&d->reply[i]) < 0) {
		reply_foreign_free(&d->reply[i]);
		reply_set(&d->reply[i], REPLY_NO_MEMORY, NULL); /* without its text the reply still counts */
	}
}

void
delivery_reply(struct delivery *d, size_t i, enum reply r, const char *text)
{
	struct reply_foreign own = { 0 };

	reply_set(&own, r, text);
	delivery_answer(d, i, &own);
}

void
delivery_answer_all(struct delivery *d, const struct reply_foreign *r)
{
	struct reply_foreign copy;
	size_t i;

	for (i = 0; i < d->lines; i++)
		if (delivery_is_pending(d, i)) {
			reply_copy(&copy, r);
			delivery_answer(d, i, &copy);
		}
}

void
delivery_reply_all(struct delivery *d, enum reply r, const char *text)
{
	struct reply_foreign own = { 0 };

	reply_set(&own, r, text);
	delivery_answer_all(d, &own);
	reply_foreign_free(&own);
}

bool
delivery_is_over(struct delivery *d)
{
	const struct verdict v = { .reply = d->reply, .n = d->envelope.nrcpt };
	const struct reply_foreign *refusal;
	bool some;
	size_t i;

	refusal = verdict_reduce(&v, &some);
	for (i = 0; i < d->envelope.nrcpt && !delivery_is_pending(d, i); i++)
		;
	if (i < d->envelope.nrcpt && (d->partial || !refusal))
		return false;
	if (refusal) /* if no recipient gets the message, no copy is sent either */
		delivery_answer_all(d, refusal);
	return true;
}

bool
delivery_is_wanted(const struct delivery *d)
{
	struct pollfd p = { .fd = d->call->out };
	const char *why = NULL;

	if (clock_left(d->deadline_ms) == 0)
		why = "the deadline has passed";
	else if (d->in_chain && poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP | POLLNVAL))
		why = "nobody reads the verdict";
	if (why)
		log_event(&d->call->log, "abandoned", "reason", why, (char *)NULL);
	return !why;
}

enum reply
delivery_check(const struct envelope_line *line, uint32_t caps, char text[DELIVERY_TEXT_MAX])
{
	const char *s = line->params, *end = s + strlen(s), *key, *value;
	size_t keylen, valuelen, i;

	*text = '\0';
	for (i = 0; i < line->path_len; i++)
		if ((unsigned char)line->path[i] > 127 && !(caps & CAP_SMTPUTF8))
			return REPLY_NON_ASCII;
	while (param_next(&s, end, &key, &keylen, &value, &valuelen) > 0) {
		enum param p = param_find(key, keylen, PARAM_OF_MAIL | PARAM_OF_RCPT);

		if (p == PARAM_BODY) {
			const uint32_t both = CAP_BINARYMIME | CAP_CHUNKING; /* RFC 3030 3 */

			if (valuelen == 10 && strncasecmp(value, "BINARYMIME", 10) == 0 && (caps & both) != both)
				return REPLY_NO_BINARY;
			continue;
		}
		if (p == PARAM_SIZE || p == PARAM_AUTH || (p != PARAM_UNKNOWN && param_cap(p) & caps))
			continue; /* RFC 4954 5: without AUTH the parameter is dropped */
		if (p == PARAM_SMTPUTF8)
			return REPLY_NON_ASCII;
		if (p == PARAM_REQUIRETLS)
			return REPLY_NO_REQUIRETLS;
		snprintf(text, DELIVERY_TEXT_MAX, "Next server does not support %.*s", (int)(keylen < 64 ? keylen : 64), key);
		return REPLY_NOT_HONOURED;
	}
	return REPLY_OK;
}

/* Log a line for each recipient and for each copy, with the reply. */
static void
log_lines(const struct delivery *d)
{
	char reply[REPLY_SHOWN_MAX], rcpt[ADDR_MAILBOX_MAX + 1];
	size_t i;

	for (i = 0; i < d->lines; i++) {
		const struct envelope_line *l = &d->envelope.rcpt[i];
		const struct reply_foreign *r = &d->reply[i];
		const char *event = l->kind == ENVELOPE_COPY ? "copy" : r->code < 300 ? d->accepted : "refused";

		if (!event)
			continue;
		snprintf(rcpt, sizeof rcpt, "%.*s", (int)l->path_len, l->path ? l->path : "");
		log_event(&d->call->log, event, "rcpt", l->kind == ENVELOPE_REPLY ? NULL : rcpt, "reply", reply_show(r, reply),
		    (char *)NULL);
	}
}

/* By hand: print the replies with LF ends. Returns 0, or -1 with errno set. */
static int
print(const struct delivery *d, struct verdict *v)
{
	struct buf text = { 0 };
	size_t i, to = 0;
	int r = verdict_text(&text, v);

	for (i = 0; i < text.len; i++)
		if (text.p[i] != '\r')
			text.p[to++] = text.p[i];
	if (r == 0)
		r = file_write(d->call->out, text.p, to);
	buf_free(&text);
	return r;
}

int
delivery_close(struct delivery *d, const char *to)
{
	struct verdict v = { .reply = d->reply, .n = d->envelope.nrcpt };
	const struct reply_foreign *worst;
	const struct log *log = &d->call->log;
	char rcpts[24], accepted[24], ms[24], code[24];
	size_t i, yes = 0;
	bool mixed;
	int result;

	delivery_reply_all(d, REPLY_LOCAL_ERROR, NULL); /* a line without a reply was not delivered */
	worst = verdict_reduce(&v, &mixed);
	result = !worst || (mixed && d->in_chain) ? CHAIN_DONE : worst->code < 500 ? CHAIN_LATER : CHAIN_REFUSED;
	log_lines(d);
	for (i = 0; i < v.n; i++)
		yes += v.reply[i].code < 300;
	snprintf(rcpts, sizeof rcpts, "%zu", v.n);
	snprintf(accepted, sizeof accepted, "%zu", yes);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - d->start_ms));
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	log_event(log, "done", "to", to, "rcpts", rcpts, "accepted", accepted, "ms", ms, "code", code, (char *)NULL);
	if (!d->in_chain && print(d, &v) < 0) {
		log_error(log, "failed", "output:");
		result = CHAIN_LATER;
	} else if (d->in_chain) {
		for (i = v.n; i < d->lines; i++)
			reply_foreign_free(&d->reply[i]); /* copies are never answered */
		d->reply = NULL; /* the verdict has them */
		if (call_answer(d->call, &v) != CHAIN_DONE)
			result = CHAIN_LATER;
	}
	release(d);
	return result;
}
