/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "chain/offerfile.h"
#include "complete.h"
#include "mail/charset.h"
#include "mail/downgrade.h"
#include "mail/merge.h"
#include "smtp/addr.h"
#include "stage/instance.h"

struct conf {
	struct rules rules;
	bool merges;           /* -m: To fields that stand more than once are merged, and so are Cc fields */
	const char *charset;   /* of text in a header that is not UTF-8; NULL: none */
	const char *keywords;  /* -k: what the next hop offers, or the name of the file that says so; NULL: not asked */
	char *offers;          /* the file, owned; NULL: none */
	struct table locals, labels;
	const char *locals_path, *labels_path; /* NULL: no such table */
};

/* Returns the names of a set of fields, with commas between; NULL if the set is empty or there is no memory. */
static const char *
names(struct buf *b, uint32_t set)
{
	int id;

	for (id = FIELD_OTHER + 1; id < FIELD_COUNT; id++)
		if (set >> id & 1 && buf_printf(b, "%s%s", b->len ? "," : "", field_name((enum field_id)id)) < 0)
			return NULL;
	return b->p;
}

static void
log_done(const struct call *call, const struct completion *c, const struct downgrade *d, uint32_t merges,
    int64_t start_ms)
{
	struct buf added = { 0 }, qualified = { 0 }, removed = { 0 }, merged = { 0 };
	char ms[24];

	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start_ms));
	log_event(&call->log, "done", "user", facts_get(&call->facts, "SMTPAUTHUSER"),
	    "added", names(&added, c->added), "qualified", names(&qualified, c->qualified), "removed",
	    names(&removed, c->removed), "merged", names(&merged, merges), "mbox", c->mbox_line ? "removed" : NULL,
	    "encoded", d->fields.len > 0 ? d->fields.p : NULL, "ms", ms,
	    "msgid", *c->msgid ? c->msgid : NULL, (char *)NULL);
	buf_free(&added);
	buf_free(&qualified);
	buf_free(&removed);
	buf_free(&merged);
}

/*
 * May octets over 127 stand in the header? Not without SMTPUTF8, nor for a next hop that lacks it. In a filter they
 * may: nobody knows the envelope. Returns 1, 0, or -1 with errno set, the reason logged.
 */
static int
keeps_utf8(struct call *call, const struct conf *conf, const struct header *h)
{
	const struct envelope *e;
	const char *value;
	uint32_t caps = CAP_SMTPUTF8;
	size_t len;

	if (call->kind == CALL_FILTER || !downgrade_has_8bit(h->text.p, h->text.len))
		return 1;
	e = call_envelope(call);
	if (!e || offer_of_next_hop(&caps, conf->keywords, &call->log) < 0)
		return -1;
	return caps & CAP_SMTPUTF8 && envelope_param(&e->mail, "SMTPUTF8", &value, &len);
}

/* Merge the lists of recipients in the header, if the site wants that. Returns 0, or -1 with errno set. */
static int
merge(const struct conf *conf, struct header *h, uint32_t *merged)
{
	struct buf text = { 0 };
	int r = 0;

	*merged = 0;
	if (conf->merges)
		r = merge_lists(&text, h->text.p, h->text.len, h->crlf ? "\r\n" : "\n", merged);
	if (r <= 0) {
		buf_free(&text);
		return r;
	}
	buf_free(&h->text);
	h->text = text;
	return 0;
}

/* Serve the message, which is the regular file call->in. */
static int
serve_file(struct call *call, const struct conf *conf, struct header *h, struct completion *c, struct downgrade *d)
{
	bool filter = call->kind == CALL_FILTER;
	int64_t start_ms = clock_ms();
	enum complete_result result;
	uint32_t merged;
	off_t was;
	int fd = -1, r;

	switch (header_read(h, call->in, HEADER_MAX)) {
	case HEADER_LONG:
		return call_reject(call, REPLY_BAD_MESSAGE, "Header is too long");
	case HEADER_ERROR:
		return call_failed(call, "header");
	case HEADER_OK:
		break;
	}
	if (h->bare && !filter)
		return call_reject(call, REPLY_BARE, "Bare CR or bare LF in the header");
	was = (off_t)h->text.len; /* a merged or downgraded header may have another length */
	if (merge(conf, h, &merged) < 0) /* before lines are folded, for it makes them longer */
		return call_failed(call, "header");
	r = keeps_utf8(call, conf, h);
	if (r < 0)
		return call_failed(call, NULL);
	*d = (struct downgrade){ .keeps_utf8 = r > 0, .charset = conf->charset, .eol = h->crlf ? "\r\n" : "\n" };
	switch (downgrade(d, h->text.p, h->text.len)) {
	case DOWNGRADE_SAME:
		break;
	case DOWNGRADE_CHANGED:
		buf_free(&h->text);
		h->text = d->text;
		d->text = (struct buf){ 0 };
		break;
	case DOWNGRADE_REFUSED:
		return call_reject(call, REPLY_BAD_MESSAGE, d->why.p);
	case DOWNGRADE_ADDRESS:
		return call_reject(call, REPLY_HEADER_ADDRESS, d->why.p);
	case DOWNGRADE_ERROR:
		return call_failed(call, "header");
	}
	if (h->text.len > HEADER_MAX)
		return call_reject(call, REPLY_BAD_MESSAGE, "Header is too long");
	c->is_ascii = !d->keeps_utf8;
	result = complete(c, &conf->rules, h, &call->facts, filter && !h->crlf ? "\n" : "\r\n");
	if (result != COMPLETE_OK)
		return result == COMPLETE_REFUSED ? call_reject(call, REPLY_BAD_MESSAGE, c->why.p) : call_failed(call, "header");
	if (c->edits.n > 0 || d->fields.len > 0 || merged) {
		fd = edits_file(&c->edits, h->text.p, h->text.len, call->in, was);
		if (fd < 0)
			return call_failed(call, "message");
	}
	if (!filter)
		log_done(call, c, d, merged, start_ms);
	r = call_next_with(call, fd, -1);
	if (fd >= 0)
		close(fd);
	return r;
}

static int
serve(struct call *call, void *arg)
{
	struct header h = { 0 };
	struct completion c = { 0 };
	struct downgrade d = { 0 };
	int r;

	if (call_message(call) < 0)
		return call_failed(call, "input");
	r = serve_file(call, arg, &h, &c, &d);
	header_free(&h);
	downgrade_free(&d);
	completion_free(&c);
	return r;
}

/*
 * Open the tables that the options name: all of them, or none. Returns 0, or -1 with errno set and *path set to the
 * file that cannot be used.
 */
static int
open_tables(struct conf *conf, const char **path)
{
	struct table locals, labels;
	int e;

	*path = conf->locals_path;
	if (*path && table_open(&locals, *path) < 0)
		return -1;
	*path = conf->labels_path;
	if (*path && table_open(&labels, *path) < 0) {
		e = errno;
		if (conf->locals_path)
			table_close(&locals);
		errno = e;
		return -1;
	}
	if (conf->rules.locals)
		table_close(&conf->locals);
	if (conf->rules.labels)
		table_close(&conf->labels);
	if (conf->locals_path) {
		conf->locals = locals;
		conf->rules.locals = &conf->locals;
	}
	if (conf->labels_path) {
		conf->labels = labels;
		conf->rules.labels = &conf->labels;
	}
	return 0;
}

/* SIGHUP: open the tables anew. */
static int
reload(void *arg, const struct log *log)
{
	const char *path;

	if (open_tables(arg, &path) == 0)
		return 0;
	log_error(log, "failed", "%s: %s", path, table_why(errno));
	return -1;
}

static bool
is_qualified(const char *domain)
{
	return addr_is_domain(domain, strlen(domain)) && strchr(domain, '.');
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	switch (letter) {
	case 'c':
		conf->charset = value;
		return 0;
	case 'd':
		conf->rules.domain = value;
		return 0;
	case 'k':
		conf->keywords = value;
		return 0;
	case 'm':
		conf->merges = true;
		return 0;
	case 'u':
		conf->locals_path = value;
		return 0;
	case 's':
		conf->rules.sender = strcmp(value, "replace") == 0 ? SENDER_REPLACE : SENDER_ADD;
		if (strcmp(value, "replace") != 0 && strcmp(value, "add") != 0)
			return stage_wrong(i, "-s", "%s is not add or replace", value);
		return 0;
	case 'D':
		conf->rules.suffix = value[0] == '.' ? value + 1 : value;
		return 0;
	default:
		conf->labels_path = value;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	struct rules *rules = &conf->rules;
	const char *path;

	rules->any_local = conf->locals_path && strcmp(conf->locals_path, "all") == 0;
	if (!rules->suffix != !conf->labels_path || (conf->locals_path && !rules->domain))
		return -1;
	if (rules->any_local)
		conf->locals_path = NULL;
	if (rules->domain && !is_qualified(rules->domain))
		return stage_wrong(i, "-d", "not a fully qualified domain");
	if (rules->suffix && !is_qualified(rules->suffix))
		return stage_wrong(i, "-D", "not a fully qualified domain");
	if (conf->keywords && !(conf->offers = offerfile_name(conf->keywords)) && !ehlo_list_is_valid(conf->keywords))
		return stage_wrong(i, conf->keywords, "not keywords with commas or newlines between");
	if (conf->charset && !charset_is_single(conf->charset, strlen(conf->charset)))
		return stage_wrong(i, conf->charset, "not a known character set of one octet a character");
	if (open_tables(conf, &path) < 0)
		return stage_wrong(i, path, "%s", table_why(errno));
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

const struct stage qualify_stage = {
	.name = "qualify",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_TEMPORARY,
	.options = "c:d:k:ms:u:D:t:",
	.usage = "[-c charset] [-d domain] [-k keywords] [-m] [-s add|replace] [-u table|all] [-D suffix -t table] "
	    STAGE_USAGE " [prog [arg ...]]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.release = release,
};
