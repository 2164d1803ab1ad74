/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/offer.h"
#include "chain/offerfile.h"
#include "mail/charset.h"
#include "mail/header.h"
#include "mail/recode.h"
#include "msa/msgfile.h"
#include "smtp/param.h"
#include "stage/instance.h"

struct conf {
	const char *keywords; /* -k: what the next hop offers, or the name of the file that says so; NULL: MSA_EHLO */
	char *offers;         /* the file, owned; NULL: none */
	const char *charset;
};

/* A message in hand. */
struct work {
	struct call *call;
	const struct conf *conf;
	const struct envelope *envelope; /* NULL in a filter */
	uint32_t caps;                   /* CAP_*: what the next hop offers now */
	struct recode_hop hop;
	struct recode result;
	int64_t start_ms;
};

static bool
has_body(const struct work *w, const char *body)
{
	const char *value;
	size_t len;

	return w->envelope && envelope_param(&w->envelope->mail, "BODY", &value, &len) && value && len == strlen(body) &&
	    strncasecmp(value, body, len) == 0;
}

/* Find out what the next hop takes. Returns 0, or -1 with errno set (ENOMEM). */
static int
learn_hop(struct work *w)
{
	const uint32_t both = CAP_BINARYMIME | CAP_CHUNKING; /* RFC 3030 3 */
	const bool is_binary = has_body(w, "BINARYMIME");
	struct ehlo offer;
	const char *value;
	size_t len;

	if (!w->conf->keywords) {
		offer_from_facts(&offer, &w->call->facts);
		w->caps = offer.caps;
	} else if (offer_of_next_hop(&w->caps, w->conf->keywords, &w->call->log) < 0)
		return -1;
	w->hop.takes_binary = is_binary && (w->caps & both) == both;
	w->hop.takes_8bit = w->hop.takes_binary || w->caps & CAP_8BITMIME;
	w->hop.was_binary = is_binary && !w->hop.takes_binary;
	w->hop.takes_utf8 = w->caps & CAP_SMTPUTF8 || !w->envelope ||
	    !envelope_param(&w->envelope->mail, "SMTPUTF8", &value, &len);
	w->hop.charset = w->conf->charset;
	return 0;
}

/* Returns true if an address of the envelope needs SMTPUTF8. */
static bool
has_utf8_address(const struct envelope *e)
{
	const char *p;
	size_t i;

	for (p = e->mail.text; *p; p++)
		if ((unsigned char)*p > 127)
			return true;
	for (i = 0; i < e->nrcpt + e->ncopy; i++)
		for (p = e->rcpt[i].text; *p; p++)
			if ((unsigned char)*p > 127)
				return true;
	return false;
}

/* The MAIL line's parameters, as they fit the message that goes on. *changed: they are not those that came. */
static int
add_params(const struct work *w, struct buf *b, bool *changed)
{
	const char *s = w->envelope->mail.params, *end = s + strlen(s), *key, *value;
	const bool keeps_utf8 = w->hop.takes_utf8 || w->result.has_utf8_header || has_utf8_address(w->envelope);
	size_t keylen, valuelen;
	int r = 0;

	while (r == 0 && param_next(&s, end, &key, &keylen, &value, &valuelen) > 0) {
		const char *text_end = value ? value + valuelen : key + keylen;

		switch (param_find(key, keylen, PARAM_OF_MAIL)) {
		case PARAM_BODY:
			if (w->hop.takes_8bit && !w->hop.was_binary)
				break;
			*changed = true;
			if (w->hop.takes_8bit && w->result.is_8bit)
				r = buf_puts(b, " BODY=8BITMIME");
			continue;
		case PARAM_SMTPUTF8:
			if (keeps_utf8)
				break;
			*changed = true;
			continue;
		default:
			break;
		}
		r = buf_printf(b, " %.*s", (int)(text_end - key), key);
	}
	return r;
}

/* Make the envelope of what goes on. Returns its descriptor, or -1: *same is set if nothing changes, errno if not. */
static int
write_envelope(const struct work *w, bool *same)
{
	const struct envelope *e = w->envelope;
	struct buf b = { 0 };
	bool changed = false;
	size_t i;
	int fd = -1, r;

	r = buf_printf(&b, "MAIL FROM:<%.*s>", (int)e->mail.path_len, e->mail.path);
	r = r < 0 ? -1 : add_params(w, &b, &changed);
	r = r < 0 ? -1 : buf_puts(&b, "\n");
	for (i = 0; r == 0 && i < e->nrcpt + e->ncopy; i++)
		r = buf_printf(&b, "%s\n", e->rcpt[i].text);
	*same = r == 0 && !changed;
	if (r == 0 && changed)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

static void
log_done(const struct work *w, const char *body)
{
	const struct recode *r = &w->result;
	char quoted[24], base64[24], labels[24], ms[24];

	snprintf(quoted, sizeof quoted, "%zu", r->quoted);
	snprintf(base64, sizeof base64, "%zu", r->base64);
	snprintf(labels, sizeof labels, "%zu", r->labels);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, "done", "user", facts_get(&w->call->facts, "SMTPAUTHUSER"),
	    "quoted", r->quoted > 0 ? quoted : NULL, "base64", r->base64 > 0 ? base64 : NULL,
	    "labels", r->labels > 0 ? labels : NULL, "params", body, "ms", ms, (char *)NULL);
}

/* Refuse the message for good by the verdict. A filter, which a person runs, prints the reason instead. */
static int
refuse(const struct work *w)
{
	if (w->call->kind == CALL_FILTER) {
		fprintf(stderr, "encode: %s\n", w->result.why);
		return CHAIN_REFUSED;
	}
	log_event(&w->call->log, "refused", "user", facts_get(&w->call->facts, "SMTPAUTHUSER"), "why", w->result.why,
	    (char *)NULL);
	return call_verdict(w->call, REPLY_NO_8BIT, w->result.why);
}

/* Hand the message on. message: the new one, or -1. */
static int
pass(struct work *w, int message)
{
	bool same = true;
	int envelope = -1, r;

	if (w->envelope) {
		envelope = write_envelope(w, &same);
		if (envelope < 0 && !same)
			return call_failed(w->call, "envelope");
		log_done(w, same ? NULL : "changed");
	}
	r = call_next_with(w->call, message, envelope);
	if (envelope >= 0)
		close(envelope);
	return r;
}

static int
serve_message(struct work *w)
{
	int message = -1, r;

	switch (recode(&w->result, &w->hop, w->call->in, &message)) {
	case RECODE_REFUSED:
		return refuse(w);
	case RECODE_ERROR:
		return call_failed(w->call, "message");
	case RECODE_SAME:
	case RECODE_CHANGED:
		break;
	}
	r = pass(w, message);
	if (message >= 0)
		close(message);
	return r;
}

/* A filter takes a file whose lines end with LF. Returns 0, or -1 with errno set. */
static int
learn_lines(struct work *w)
{
	struct header h = { 0 };
	int r = header_read(&h, w->call->in, HEADER_MAX) == HEADER_ERROR ? -1 : 0;

	w->hop.lf = !h.crlf;
	header_free(&h);
	return r;
}

static int
serve(struct call *call, void *arg)
{
	struct work w = { .call = call, .conf = arg, .start_ms = clock_ms() };

	if (call_message(call) < 0)
		return call_failed(call, "input");
	if (call->kind == CALL_FILTER) {
		if (learn_lines(&w) < 0)
			return call_failed(call, "header");
	} else if (!(w.envelope = call_envelope(call)))
		return call_failed(call, NULL);
	if (learn_hop(&w) < 0)
		return call_failed(call, "offers");
	return serve_message(&w);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	(void)i;
	*(letter == 'k' ? &conf->keywords : &conf->charset) = value;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (conf->keywords && !(conf->offers = offerfile_name(conf->keywords)) && !ehlo_list_is_valid(conf->keywords))
		return stage_wrong(i, conf->keywords, "not keywords with commas or newlines between");
	if (conf->charset && !charset_is_single(conf->charset, strlen(conf->charset)))
		return stage_wrong(i, conf->charset, "not a known character set of one octet a character");
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

const struct stage encode_stage = {
	.name = "encode",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_TEMPORARY,
	.options = "c:k:",
	.usage = "[-c charset] [-k keywords] " STAGE_USAGE " [prog [arg ...]]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.release = release,
};
