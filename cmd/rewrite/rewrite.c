/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/usertable.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "msa/msgfile.h"
#include "rewriting.h"
#include "stage/instance.h"
#include "stage/run.h"

struct conf {
	const char *path, *senders_path; /* NULL: no such table */
	struct usertable table, senders;
	struct mapping mapping;
	struct aliases aliases;
};

/* A message in hand. */
struct work {
	struct call *call;
	struct conf *conf;
	struct senders senders;
	struct header header;
	struct rewriting changes;
	int message, envelope; /* new files; -1: unchanged */
	int64_t start_ms;
};

/* Returns the names of what changes, with commas between; NULL if nothing does or there is no memory. */
static const char *
names(struct buf *b, bool sender, bool rcpts, uint32_t fields)
{
	int id, r = 0;

	if (sender)
		r = buf_puts(b, "MAIL");
	if (r == 0 && rcpts)
		r = buf_printf(b, "%sRCPT", b->len ? "," : "");
	for (id = FIELD_OTHER + 1; r == 0 && id < FIELD_COUNT; id++)
		if (fields >> id & 1)
			r = buf_printf(b, "%s%s", b->len ? "," : "", field_name((enum field_id)id));
	return r < 0 ? NULL : b->p;
}

static void
log_done(const struct work *w)
{
	const struct rewriting *c = &w->changes;
	struct buf changed = { 0 }, unread = { 0 };
	char ms[24];

	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, "done", "user", facts_get(&w->call->facts, "SMTPAUTHUSER"),
	    "changed", names(&changed, c->sender, c->rcpts > 0, c->fields), "addresses", c->addresses.p,
	    "unread", names(&unread, false, false, c->unread), "unresolved", c->aliases.failed.p,
	    "signed", c->is_signed && c->fields ? "DKIM-Signature" : NULL,
	    "ms", ms, (char *)NULL);
	buf_free(&changed);
	buf_free(&unread);
}

/* End a message whose changes cannot be found. */
static int
give_up(const struct work *w, enum rewriting_result r)
{
	switch (r) {
	case REWRITING_REFUSED:
		return call_reject(w->call, REPLY_BAD_MESSAGE, w->changes.why);
	case REWRITING_NO_RIGHT:
		return call_reject(w->call, REPLY_NO_RIGHT, w->changes.why);
	case REWRITING_INVALID: /* an address must not pass as it is because of our mistake */
		log_error(&w->call->log, "misuse", "%s", w->changes.why);
		return call_verdict(w->call, REPLY_LOCAL_ERROR, NULL);
	case REWRITING_OK:
	case REWRITING_ERROR:
		break;
	}
	return call_failed(w->call, "addresses");
}

/* May an address go on at the character c, if next comes after it? */
static bool
goes_on(char c, char next)
{
	if (c == '.')
		return next && goes_on(next, '\0');
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("@-_+=%!", c));
}

/* Does the address stand at p in the text, and not as a part of another one? */
static bool
is_word(const char *text, const char *p, const char *address, size_t n)
{
	return strncasecmp(p, address, n) == 0 && (p == text || !goes_on(p[-1], 'x')) &&
	    !goes_on(p[n], p[n] ? p[n + 1] : '\0');
}

/* Replace each address that is now in a text by the original. Without memory the text stays: the reply still counts. */
static void
restore(char **text, const char *now, const char *original, size_t len)
{
	struct buf b = { 0 };
	size_t n = strlen(now);
	const char *p;
	int r = 0;

	for (p = *text; r == 0 && *p;)
		if (is_word(*text, p, now, n)) {
			r = buf_add(&b, original, len);
			p += n;
		} else
			r = buf_add(&b, p++, 1);
	if (r == 0 && b.len > 0 && b.len < REPLY_TEXT_MAX) {
		free(*text);
		*text = b.p;
		return;
	}
	buf_free(&b);
}

/* Have the replies name the addresses that the client knows. */
static void
restore_all(struct work *w, const struct envelope *e, struct verdict *v)
{
	struct addr to, from;
	size_t i;

	for (i = 0; i < v->n && i < e->nrcpt; i++) {
		const struct envelope_line *l = &e->rcpt[i];

		if (!v->reply[i].text || !rewriting_of_rcpt(&w->changes, l, &to))
			continue;
		if (addr_mailbox(l->path, l->path_len, &from) < 0 || from.is_utf8) /* the client may not know SMTPUTF8 */
			continue;
		restore(&v->reply[i].text, to.text, l->path, l->path_len);
	}
}

/* Recipients have changed: run the rest of the chain, and answer for the recipients that the client gave. */
static int
deliver(struct work *w)
{
	struct call *call = w->call;
	const struct envelope *e = call_envelope(call);
	int64_t deadline_ms = call_own_deadline(call);
	struct verdict v = { 0 };
	int r;

	if (call_set_deadline(call, deadline_ms) < 0 ||
	    call_deliver(call, call->next, w->message < 0 ? call->in : w->message, w->envelope, e->nrcpt, deadline_ms, &v) < 0)
		return call_failed(call, "verdict");
	restore_all(w, e, &v);
	r = call_answer(call, &v);
	verdict_free(&v);
	return r;
}

/* Make the new message and envelope where they change. Returns 0, or -1 with errno set. */
static int
compose(struct work *w)
{
	struct rewriting *c = &w->changes;

	if (c->edits.n > 0) {
		w->message = edits_file(&c->edits, w->header.text.p, w->header.text.len, w->call->in,
		    (off_t)w->header.text.len);
		if (w->message < 0)
			return -1;
	}
	if (!c->sender && c->rcpts == 0)
		return 0;
	if (c->envelope.len > CHAIN_ENVELOPE_MAX) {
		errno = EFBIG;
		return -1;
	}
	w->envelope = msgfile_of(c->envelope.p, c->envelope.len);
	return w->envelope < 0 ? -1 : 0;
}

/* Find all changes. e is NULL in a filter. Returns as rewriting_of_header. */
static enum rewriting_result
find(struct work *w, const struct envelope *e)
{
	enum rewriting_result r = rewriting_of_header(&w->changes, &w->header);
	struct ehlo offer;

	if (r != REWRITING_OK || !e)
		return r;
	offer_from_facts(&offer, &w->call->facts);
	w->changes.add_orcpt = offer.caps & CAP_DSN;
	return rewriting_of_envelope(&w->changes, e);
}

/* When the resolver must have answered: at least half of the time that is left is for the rest of the chain. */
static int64_t
resolver_deadline(const struct call *call)
{
	int64_t now_ms = clock_ms(), half_ms = (call_own_deadline(call) - now_ms) / 2;

	return now_ms + (half_ms < ALIASES_WAIT_MS ? half_ms : ALIASES_WAIT_MS);
}

/* Find the addresses of the user. Returns REWRITING_OK, or as rewriting_of_header. */
static enum rewriting_result
find_user(struct work *w)
{
	struct conf *conf = w->conf;
	const struct facts *f = &w->call->facts;
	const char *user = facts_get(f, "SMTPAUTHUSER");
	int r;

	w->changes.mapping = &conf->mapping;
	w->changes.aliases = (struct aliases_asked){
		.aliases = &conf->aliases, .deadline_ms = resolver_deadline(w->call),
	};
	if (!conf->senders_path)
		return REWRITING_OK;
	if (senders_find(&w->senders, &conf->senders, user && *user ? user : NULL, facts_get(f, "SMTPAUTHLABEL")) < 0)
		return rewriting_blame(&w->changes, conf->senders_path, &conf->senders);
	if (w->senders.stopped) {
		snprintf(w->changes.why, sizeof w->changes.why, "You may not send");
		return REWRITING_NO_RIGHT;
	}
	w->changes.senders = &w->senders;
	w->changes.senders_path = conf->senders_path;
	r = senders_address(&w->senders, &w->changes.own);
	if (r == 0)
		w->changes.own = (struct addr){ .len = 0 };
	return r < 0 ? rewriting_blame(&w->changes, conf->senders_path, &conf->senders) : REWRITING_OK;
}

static int
serve_file(struct work *w)
{
	struct call *call = w->call;
	const struct envelope *e = call->kind == CALL_MESSAGE ? call_envelope(call) : NULL;
	enum rewriting_result result;

	if (call->kind == CALL_MESSAGE && !e)
		return call_failed(call, NULL);
	switch (header_read(&w->header, call->in, HEADER_MAX)) {
	case HEADER_LONG:
		return call_reject(w->call, REPLY_BAD_MESSAGE, "Header is too long");
	case HEADER_ERROR:
		return call_failed(call, "header");
	case HEADER_OK:
		break;
	}
	if (w->header.bare && call->kind == CALL_MESSAGE)
		return call_reject(w->call, REPLY_BARE, "Bare CR or bare LF in the header");
	result = find_user(w);
	if (result == REWRITING_OK)
		result = find(w, e);
	if (result != REWRITING_OK)
		return give_up(w, result);
	if (compose(w) < 0)
		return call_failed(call, "message");
	if (call->kind == CALL_MESSAGE)
		log_done(w);
	return w->changes.rcpts > 0 ? deliver(w) : call_next_with(call, w->message, w->envelope);
}

/* Open the tables anew: after SIGHUP, or when a file has changed. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	struct { const char *path; struct usertable *table; } t[] = {
		{ conf->path, &conf->table }, { conf->senders_path, &conf->senders },
	};
	size_t i;
	int failed = 0, done = 0;

	for (i = 0; i < sizeof t / sizeof *t; i++) {
		if (!t[i].path)
			continue;
		done++;
		if (usertable_renew(t[i].table) == 0)
			continue;
		log_error(log, "failed", "%s: %s", t[i].path, t[i].table->why);
		failed++;
	}
	return failed == 0 ? 0 : failed == done ? -1 : 1;
}

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	struct work w = { .call = call, .conf = conf, .message = -1, .envelope = -1, .start_ms = clock_ms() };
	int r;

	if (call_message(call) < 0)
		return call_failed(call, "input");
	if ((conf->path && table_changed(&conf->table.table)) || (conf->senders_path && table_changed(&conf->senders.table)))
		reload(conf, &call->log);
	r = serve_file(&w);
	header_free(&w.header);
	rewriting_free(&w.changes);
	if (w.message >= 0)
		close(w.message);
	if (w.envelope >= 0)
		close(w.envelope);
	return r;
}

/* -q: address. Print what becomes of it, and by which keys. Returns the exit code. */
static int
query(const struct instance *i)
{
	const struct conf *conf = i->conf;
	struct aliases_asked asked = { .aliases = &conf->aliases, .deadline_ms = clock_ms() + ALIASES_WAIT_MS };
	const char *word = i->words[0];
	struct mapped d;
	struct addr a;
	int k, r = CHAIN_DONE;

	if (addr_mailbox(word, strlen(word), &a) < 0) {
		fprintf(stderr, "rewrite: %s: not an address\n", word);
		return CHAIN_MISUSE;
	}
	switch (mapping_resolve(&conf->mapping, &asked, &a, &d)) {
	case MAPPING_ERROR:
		fprintf(stderr, "rewrite: %s: %s\n", conf->path, table_why(errno));
		aliases_forget(&asked);
		return CHAIN_LATER;
	case MAPPING_INVALID:
		printf("%s: 451 (%s)", a.text, d.why);
		r = CHAIN_LATER;
		break;
	case MAPPING_SAME:
		printf("%s: unchanged", a.text);
		break;
	case MAPPING_CHANGED:
		printf("%s: %s", a.text, d.to.text);
		break;
	}
	for (k = 0; k < MAPPING_STEPS && *d.key[k]; k++)
		printf(k ? ", %s" : ", by %s", d.key[k]);
	if (d.is_alias)
		printf(k ? ", CNAME" : ", by CNAME");
	if (asked.failed.len > 0)
		printf(" (%s)", asked.failed.p);
	puts("");
	aliases_forget(&asked);
	return r;
}

/* Add a domain, or a dot and a domain, to a list that has room for most. Returns as option. */
static int
add_domain(struct instance *i, const char **list, size_t *n, size_t most, const char *value)
{
	const char *domain = *value == '.' ? value + 1 : value;

	if (!addr_is_domain(domain, strlen(domain)))
		return stage_wrong(i, value, "not a domain");
	if (*n == most)
		return stage_wrong(i, value, "more than %zu domains", most);
	list[(*n)++] = value;
	return 0;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	switch (letter) {
	case 'c':
		return add_domain(i, conf->aliases.listed, &conf->aliases.nlisted, ALIASES_LISTED_MAX, value);
	case 'd':
		return add_domain(i, conf->mapping.site, &conf->mapping.sites, MAPPING_SITES_MAX, value);
	case 'r':
		conf->aliases.server = value;
		return 0;
	case 's':
		conf->senders_path = value;
		return 0;
	default:
		conf->path = value;
		if (letter == 'q')
			i->instead = query;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	bool whole = i->options.path || i->asked; /* in an exec'd stage that would take longer than the message */
	bool aliases = conf->aliases.nlisted > 0;
	const char *why;

	/*
	 * Not both: an address that the user has a right to could become one without it, which a second run would force to be
	 * another one again.
	 */
	if (conf->senders_path ? conf->path || aliases || conf->mapping.sites > 0 : !conf->path && !aliases)
		return -1;
	if ((i->instead && i->nwords != 1) || (conf->aliases.server && !aliases) || (conf->mapping.sites > 0 && !conf->path))
		return -1;
	conf->table = (struct usertable){
		.bad = mapping_bad, .what = MAPPING_ITEM, .is_bad_key = mapping_is_bad_key, .bad_record = mapping_bad_record,
		.arg = &conf->mapping,
	};
	conf->mapping.path = conf->path;
	conf->senders = (struct usertable)SENDERS_FORM;
	if (conf->path && usertable_open(&conf->table, conf->path, whole) < 0)
		return stage_wrong(i, conf->path, "%s", conf->table.why);
	if (conf->path)
		conf->mapping.table = &conf->table.table;
	if (conf->senders_path && usertable_open(&conf->senders, conf->senders_path, whole) < 0)
		return stage_wrong(i, conf->senders_path, "%s", conf->senders.why);
	if (aliases && aliases_open(&conf->aliases, &why) < 0)
		return stage_wrong(i, conf->aliases.server ? conf->aliases.server : "resolver", "%s", why);
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	if (conf->path)
		stage_reads(c, conf->path);
	if (conf->senders_path)
		stage_reads(c, conf->senders_path);
	if (conf->aliases.channel)
		stage_connects(c, conf->aliases.port);
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	if (conf->aliases.channel)
		aliases_close(&conf->aliases);
}

const struct stage rewrite_stage = {
	.name = "rewrite",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_FILES | STAGE_NETWORK | STAGE_TEMPORARY,
	.options = "c:d:q:r:s:t:",
	.usage = "{[-t table [-d domain ...]] [-c domain ... [-r resolver]] | -s senders} " STAGE_USAGE
	    " [prog [arg ...]] | -q table [-d domain ...] [-c domain ... [-r resolver]] address",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.release = release,
};
