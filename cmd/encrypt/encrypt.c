/* ISC licence, see LICENSE. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "chain/limits.h"
#include "parts.h"
#include "sealing.h"
#include "stage/instance.h"
#include "stage/spawn.h"

enum {
	WIDE = 16,         /* copies that are made, and then delivered side by side; the next 16 follow */
	FILES = 128,       /* descriptors for all but the copies */
	WITHOUT_MAX = 300, /* octets, after which no more recipients without a key are named */
};

struct conf {
	const char *home;
	enum policy policy;
	int policies; /* options that named one */
};

/* A message in hand. */
struct work {
	struct call *call;
	const struct conf *conf;
	const struct envelope *envelope; /* NULL in a filter */
	struct header header;
	struct sealing sealing;
	struct recipients rcpts;
	struct keybox keybox;
	struct parts parts;
	struct reply_foreign *reply; /* owned, one for each recipient; code 0: none yet */
	struct job job;
	int64_t start_ms;
	size_t sealed, clear; /* recipients whose copy was made */
};

/* Returns where the error e has come up: in the keyring, or in the directory for large copies. */
static const char *
place_of(const struct work *w, int e)
{
	switch (e) {
	case EPROTO:
	case ETIMEDOUT:
	case ENOMEM:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
		return w->conf->home;
	default:
		return os_temporary();
	}
}

/* Log why no copy could be made. Returns the reply. Nothing goes on in the clear because of it. */
static enum reply
log_failed(const struct work *w)
{
	int e = errno;
	const char *what = place_of(w, e);

	if (e == EPROTO)
		log_error(&w->call->log, "failed", "%s: %s", what, *w->job.why ? w->job.why : "gpg failed without a word");
	else if (e == ETIMEDOUT)
		log_error(&w->call->log, "failed", "%s: gpg took too long", what);
	else {
		errno = e;
		log_error(&w->call->log, "failed", "%s:", what);
	}
	return e == ETIMEDOUT ? REPLY_LATE : reply_of_errno(e);
}

static int
give_up(const struct work *w)
{
	return call_verdict(w->call, log_failed(w), NULL);
}

/* Name the recipients without a key. */
static int
name_without(const struct work *w, struct buf *out)
{
	size_t i;

	for (i = 0; i < w->rcpts.nrcpt && out->len < WITHOUT_MAX; i++)
		if (w->rcpts.fate[i] != FATE_GONE && w->rcpts.key[i].found != KEYRING_ONE &&
		    buf_printf(out, "%s%s", out->len ? " " : "", w->rcpts.key[i].address) < 0)
			return -1;
	return 0;
}

/* why: why nothing was done; NULL: something was. code: of the verdict; 0: another program gives it. */
static void
log_done(const struct work *w, const char *why, int code)
{
	const size_t *count = w->rcpts.count;
	struct buf without = { 0 };
	char encrypted[24], clear[24], refused[24], copies[24], number[24], ms[24];

	if (!why && name_without(w, &without) < 0)
		buf_free(&without);
	snprintf(encrypted, sizeof encrypted, "%zu", w->sealed);
	snprintf(clear, sizeof clear, "%zu", w->clear);
	snprintf(refused, sizeof refused, "%zu", count[FATE_REFUSED]);
	snprintf(copies, sizeof copies, "%zu", w->parts.n);
	snprintf(number, sizeof number, "%d", code);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, "done", "user", facts_get(&w->call->facts, "SMTPAUTHUSER"), "why", why,
	    "encrypted", w->sealed > 0 ? encrypted : NULL, "clear", w->clear > 0 ? clear : NULL,
	    "refused", count[FATE_REFUSED] > 0 ? refused : NULL, "without", without.p,
	    "copies", w->parts.n > 1 ? copies : NULL, "signed",
	    w->sealed > 0 && w->sealing.is_signed ? "DKIM-Signature" : NULL,
	    "code", code ? number : NULL, "ms", ms, (char *)NULL);
	buf_free(&without);
}

/* Hand the message on as it is. */
static int
pass(const struct work *w, const char *why)
{
	if (w->envelope)
		log_done(w, why, 0);
	return call_next(w->call);
}

/* Make the copy of a part. Returns 0, or -1 with errno set. */
static int
make(struct work *w, struct part *p)
{
	struct buf keys = { 0 };

	p->message = w->call->in;
	if (p->is_sealed) {
		p->message = parts_fingerprints(p, &w->rcpts, &keys) < 0 ? -1 :
		    sealing_make(&w->sealing, w->call->in, w->conf->home, &w->job, keys.p);
		buf_free(&keys);
	}
	if (p->message < 0)
		return -1;
	if (!p->only_copies)
		*(p->is_sealed ? &w->sealed : &w->clear) += p->n;
	return 0;
}

/* Make the envelope of a part. is_whole: it is the only part. Returns 0, or -1 with errno set. */
static int
address(const struct work *w, struct part *p, bool is_whole)
{
	p->envelope = parts_envelope(p, &w->rcpts, w->envelope, is_whole, w->sealing.is_8bit);
	return p->envelope < 0 ? -1 : 0;
}

static void
let_go(const struct work *w, struct part *p)
{
	if (p->message >= 0 && p->message != w->call->in)
		close(p->message);
	if (p->envelope >= 0)
		close(p->envelope);
	p->message = p->envelope = -1;
}

/* All recipients get the same copy: it goes on to the next program. */
static int
hand_on(struct work *w, struct part *p)
{
	int r;

	if (make(w, p) < 0 || (w->envelope && address(w, p, true) < 0)) {
		r = give_up(w);
		let_go(w, p);
		return r;
	}
	if (w->envelope)
		log_done(w, NULL, 0);
	r = call_next_with(w->call, p->message, p->envelope);
	let_go(w, p);
	return r;
}

static void
start(struct work *w, struct part *p, int64_t deadline_ms)
{
	char rcpts[24];

	snprintf(rcpts, sizeof rcpts, "%zu", p->n);
	p->run = (struct run){ .next = w->call->next, .pid = -1, .fd = -1, .why = "no memory" };
	if (facts_set(&w->call->facts, "MSA_RCPTS", rcpts) < 0 || address(w, p, false) < 0)
		verdict_open(&p->run.verdict, p->n);
	else
		run_start(&p->run, w->call, w->call->next, p->message, p->envelope, p->n, deadline_ms);
}

/* Nobody waits for the reply to a copy: it is only logged. */
static void
log_copy(const struct work *w, size_t i, int code, const char *reason)
{
	const struct envelope_line *l = &w->envelope->rcpt[i];
	char number[12], rcpt[ADDR_MAILBOX_MAX + 1];

	snprintf(number, sizeof number, "%d", code);
	snprintf(rcpt, sizeof rcpt, "%.*s", (int)l->path_len, l->path);
	log_event(&w->call->log, "copy", "rcpt", rcpt, "code", number, "reason", reason, (char *)NULL);
}

/* Take the verdict on a part, and give each recipient its reply. Returns 0, or -1 with errno set (ENOMEM). */
static int
finish(struct work *w, struct part *p)
{
	struct verdict v = { 0 };
	size_t i;

	if (run_finish(&p->run, w->call, &v) < 0)
		return -1;
	for (i = 0; i < p->n; i++)
		if (p->only_copies)
			log_copy(w, p->line[i], v.reply[i].code, v.reply[i].text);
		else {
			w->reply[p->line[i]] = v.reply[i];
			v.reply[i] = (struct reply_foreign){ 0 };
		}
	verdict_free(&v);
	return 0;
}

/* Give each recipient that has no reply this one. Returns 0, or -1 with errno set (ENOMEM). */
static int
fill(struct work *w, const struct reply_foreign *from)
{
	size_t i;

	for (i = 0; i < w->rcpts.nrcpt; i++)
		if (w->reply[i].code == 0 && reply_copy(&w->reply[i], from) < 0)
			return -1;
	return 0;
}

/* Log that the copies of the site in this part are not sent. */
static void
log_unsent(const struct work *w, const struct part *p, const struct reply_foreign *why)
{
	const struct recipients *r = &w->rcpts;
	size_t i;

	for (i = 0; p->only_copies && i < p->n; i++)
		log_copy(w, p->line[i], why->code, why->text);
	if (!p->only_copies && !p->is_sealed) /* which has the copies in the clear as lines COPY */
		for (i = r->nrcpt; i < r->n; i++)
			if (r->fate[i] == FATE_CLEAR)
				log_copy(w, i, why->code, why->text);
}

/* A copy could not be made: it and what follows are not sent. */
static int
fill_failed(struct work *w)
{
	struct reply_foreign later = { 0 };
	int r = reply_set(&later, log_failed(w), NULL);
	size_t i;

	for (i = 0; r == 0 && i < w->parts.n; i++)
		if (!w->parts.v[i].run.next)
			log_unsent(w, &w->parts.v[i], &later);
	if (r == 0)
		r = fill(w, &later);
	reply_foreign_free(&later);
	return r;
}

/* Answer with the replies in the envelope's order. Returns the exit code. */
static int
answer(struct work *w)
{
	struct verdict v = { .reply = w->reply, .n = w->rcpts.nrcpt };
	const struct reply_foreign *worst;
	bool mixed;

	worst = verdict_reduce(&v, &mixed);
	log_done(w, NULL, worst ? worst->code : 250);
	w->reply = NULL; /* the verdict has them */
	return call_answer(w->call, &v);
}

/* Have room for the descriptors of n copies, which are open at once. Returns 0, or -1 with errno set (EMFILE). */
static int
allow_files(size_t n)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	if (files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= n + FILES)
		return 0;
	if (files.rlim_max != RLIM_INFINITY && files.rlim_max < n + FILES) {
		errno = EMFILE;
		return -1;
	}
	files.rlim_cur = n + FILES;
	return setrlimit(RLIMIT_NOFILE, &files);
}

/*
 * Make and deliver the copies. Each is made before the first of them is sent: if one of them fails, nobody gets the
 * message, and nobody gets it again when the client tries again. With MSA_PARTIAL the client tries again only for
 * recipients without the message, so making 16 copies at a time is enough. Returns 0, or -1 with errno set (ENOMEM).
 */
static int
deliver(struct work *w)
{
	const size_t n = w->parts.n, ahead = facts_get(&w->call->facts, "MSA_PARTIAL") ? WIDE : n;
	struct part *p = w->parts.v;
	size_t first, i, end, made = 0;
	int r;

	spawn_reap();
	if (call_set_deadline(w->call, w->job.deadline_ms) < 0)
		return -1;
	if ((r = allow_files(ahead)) < 0)
		r = fill_failed(w) < 0 ? -1 : 1;
	for (first = 0; first < n && r == 0; first = end) {
		end = n - first > WIDE ? first + WIDE : n;
		for (; made < n && made < first + ahead && r == 0; made++)
			r = make(w, &p[made]);
		if (r < 0)
			r = fill_failed(w) < 0 ? -1 : 1;
		for (i = first; i < end && r == 0; i++)
			start(w, &p[i], w->job.deadline_ms);
		for (i = first; i < end; i++) {
			if (p[i].run.next)
				r |= finish(w, &p[i]);
			let_go(w, &p[i]);
		}
	}
	for (i = 0; i < n; i++)
		let_go(w, &p[i]);
	return r < 0 ? -1 : 0;
}

/* Set the replies to those who are refused, here or before. Returns 0, or -1 with errno set (ENOMEM). */
static int
set_refusals(struct work *w)
{
	const struct recipients *r = &w->rcpts;
	size_t i, len;
	const char *text;
	int code;
	bool last;

	w->reply = calloc(r->nrcpt, sizeof *w->reply);
	if (!w->reply)
		return -1;
	for (i = 0; i < r->nrcpt; i++) {
		const char *line = w->envelope->rcpt[i].text;

		if (r->fate[i] == FATE_GONE && reply_line(line, strlen(line), &code, &last, &text, &len) &&
		    reply_take(&w->reply[i], code, text, len) < 0)
			return -1;
		if (r->fate[i] == FATE_REFUSED && reply_set(&w->reply[i], REPLY_NO_KEY, recipients_why(r, i)) < 0)
			return -1;
	}
	for (i = r->nrcpt; i < r->n; i++)
		if (r->fate[i] == FATE_REFUSED)
			log_copy(w, i, reply_code(REPLY_NO_KEY), recipients_why(r, i));
	return 0;
}

/*
 * Is nothing to be sent: does every recipient have a reply, or is one refused and the caller does not accept different
 * results? Then the first refusal becomes the reply of all who have none.
 */
static bool
is_over(struct work *w)
{
	struct verdict v = { .reply = w->reply, .n = w->rcpts.nrcpt };
	const struct reply_foreign *worst;
	bool mixed, open = w->rcpts.count[FATE_SEALED] + w->rcpts.count[FATE_CLEAR] > 0;

	worst = verdict_reduce(&v, &mixed); /* NULL, or a refusal: a missing reply (code 0) counts as accepted here */
	return !open || (worst && !facts_get(&w->call->facts, "MSA_PARTIAL"));
}

/* Answer without sending anything. */
static int
answer_refusals(struct work *w)
{
	struct verdict v = { .reply = w->reply, .n = w->rcpts.nrcpt };
	struct reply_foreign all = { 0 };
	const struct reply_foreign *worst;
	bool mixed;

	size_t i;

	worst = verdict_reduce(&v, &mixed);
	if (worst && (reply_copy(&all, worst) < 0 || fill(w, &all) < 0)) {
		reply_foreign_free(&all);
		return call_failed(w->call, "verdict");
	}
	for (i = w->rcpts.nrcpt; worst && i < w->rcpts.n; i++)
		if (w->rcpts.fate[i] != FATE_REFUSED) /* which has its line */
			log_copy(w, i, all.code, all.text);
	reply_foreign_free(&all);
	return answer(w);
}

/* Do with a message of a chain what was decided about its recipients. */
static int
serve_parts(struct work *w)
{
	if (set_refusals(w) < 0)
		return call_failed(w->call, "verdict");
	if (is_over(w))
		return answer_refusals(w);
	if (parts_open(&w->parts, &w->rcpts, w->envelope) < 0)
		return call_failed(w->call, "copies");
	if (w->parts.n == 1 && !w->parts.v[0].only_copies)
		return hand_on(w, &w->parts.v[0]);
	return deliver(w) < 0 ? call_failed(w->call, "verdict") : answer(w);
}

/* In a filter there is one output: all recipients get the same. */
static int
serve_filter(struct work *w)
{
	struct recipients *r = &w->rcpts;
	struct part all = { .is_sealed = true, .message = -1, .envelope = -1 };
	char why[200];
	size_t i;
	int code;

	for (i = 0; i < r->nrcpt && r->fate[i] != FATE_REFUSED; i++)
		;
	if (i < r->nrcpt) {
		snprintf(why, sizeof why, "%.100s: %s", r->key[i].address, recipients_why(r, i));
		return call_reject(w->call, REPLY_NO_KEY, why);
	}
	if (r->count[FATE_CLEAR] > 0)
		return call_next(w->call);
	all.line = calloc(r->nrcpt, sizeof *all.line);
	if (!all.line)
		return call_failed(w->call, "recipients");
	for (all.n = 0; all.n < r->nrcpt; all.n++)
		all.line[all.n] = all.n;
	code = hand_on(w, &all);
	free(all.line);
	return code;
}

/* Find the recipients and their keys. Returns true, or false with *code the exit code after an answer. */
static bool
find(struct work *w, int *code)
{
	struct recipients *r = &w->rcpts;
	const char *home = w->conf->home, *bad;
	char why[100];

	if (recipients_open(r, w->envelope, &w->header) < 0) {
		*code = call_failed(w->call, "recipients");
		return false;
	}
	if (!w->envelope && (r->bad_field || r->nrcpt == 0 || r->nrcpt > CHAIN_RCPT_MAX)) {
		snprintf(why, sizeof why, "%s: %s", r->bad_field ? r->bad_field : "To, Cc",
		    r->bad_field ? "not a list of valid addresses" : r->nrcpt ? "too many addresses" : "no address");
		*code = call_reject(w->call, REPLY_BAD_MESSAGE, why);
		return false;
	}
	bad = keyring_open(&w->keybox, home, r->key, r->n);
	if (!bad && w->keybox.keys == 0 && w->conf->policy != POLICY_REFUSE)
		bad = "there is no key, so every message would go on in the clear";
	if (bad) {
		log_error(&w->call->log, "failed", "%s: %s", home, bad);
		*code = call_verdict(w->call, REPLY_LOCAL_ERROR, NULL);
		return false;
	}
	if (keyring_find(&w->keybox, home, &w->job, r->key, r->n) < 0) {
		*code = give_up(w);
		return false;
	}
	recipients_decide(r, w->conf->policy);
	return true;
}

static int
serve_header(struct work *w)
{
	const char *eol = w->envelope || w->header.crlf ? "\r\n" : "\n";
	char why[100];
	int code;

	switch (sealing_begin(&w->sealing, &w->header, w->call->in, eol)) {
	case SEALING_ALREADY:
		return pass(w, "The message is encrypted");
	case SEALING_UNFIT:
		snprintf(why, sizeof why, "Line %zu of the header is not a field", w->sealing.not_field);
		return call_reject(w->call, REPLY_BAD_MESSAGE, why);
	case SEALING_ERROR:
		return call_failed(w->call, "header");
	case SEALING_OK:
		break;
	}
	if (!find(w, &code))
		return code;
	return w->envelope ? serve_parts(w) : serve_filter(w);
}

static int
serve_file(struct work *w)
{
	struct call *call = w->call;

	if (call->kind == CALL_MESSAGE && !(w->envelope = call_envelope(call)))
		return call_failed(call, NULL);
	switch (header_read(&w->header, call->in, HEADER_MAX)) {
	case HEADER_LONG:
		return call_reject(w->call, REPLY_BAD_MESSAGE, "Header is too long");
	case HEADER_ERROR:
		return call_failed(call, "header");
	case HEADER_OK:
		break;
	}
	if (w->header.bare && (w->envelope || w->header.crlf))
		return call_reject(w->call, REPLY_BARE, "Bare CR or bare LF in the header");
	return serve_header(w);
}

static int
serve(struct call *call, void *arg)
{
	struct work w = { .call = call, .conf = arg, .start_ms = clock_ms() };
	size_t i;
	int r;

	if (call_message(call) < 0)
		return call_failed(call, "input");
	w.job.deadline_ms = call_own_deadline(call);
	r = serve_file(&w);
	for (i = 0; w.reply && i < w.rcpts.nrcpt; i++)
		reply_foreign_free(&w.reply[i]);
	free(w.reply);
	header_free(&w.header);
	sealing_free(&w.sealing);
	recipients_free(&w.rcpts);
	keybox_free(&w.keybox);
	parts_free(&w.parts);
	return r;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	(void)i;
	switch (letter) {
	case 'a':
		conf->policy = POLICY_ALL;
		conf->policies++;
		return 0;
	case 'c':
		conf->policy = POLICY_CLEAR;
		conf->policies++;
		return 0;
	default:
		conf->home = value;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	struct keybox k = { 0 };
	const char *why;

	if (!conf->home || conf->policies > 1)
		return -1;
	why = keyring_open(&k, conf->home, NULL, 0);
	keybox_free(&k);
	return why ? stage_wrong(i, conf->home, "%s", why) : 0;
}

/* The stage needs no private key, and a stage that is taken over could use one. */
static void
examine(const void *arg, struct instance *i)
{
	const char *home = ((const struct conf *)arg)->home;
	char path[1024];
	struct dirent *entry;
	DIR *dir;
	size_t n;

	snprintf(path, sizeof path, "%s/private-keys-v1.d", home);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		n = strlen(entry->d_name);
		if (n <= 4 || strcmp(entry->d_name + n - 4, ".key") != 0)
			continue;
		finding_warning(i->asked, home, "export the public keys to a directory of their own", "has private keys");
		break;
	}
	if (dir)
		closedir(dir);
}

const struct stage encrypt_stage = {
	.name = "encrypt",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_FILES | STAGE_PROGRAMS | STAGE_TEMPORARY,
	.options = "ack:",
	.usage = "-k directory [-a | -c] " STAGE_USAGE " [prog [arg ...]]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.serve = serve,
	.examine = examine,
};
