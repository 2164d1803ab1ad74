/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/finding.h"
#include "base/usertable.h"
#include "chain/limits.h"
#include "mail/addrlist.h"
#include "msa/msgfile.h"
#include "signature.h"
#include "smtp/domain.h"
#include "stage/instance.h"

enum {
	WHY_MAX = 400,
	AUTHORS_MAX = 100,        /* addresses in From */
	WITHOUT_MAX = 300,        /* octets, after which no more of them are named */
	EXPIRES_MIN_S = 3600,     /* of -x */
	EXPIRES_MAX_S = 31536000,
	STRING_MAX = 255,         /* octets of a string in a TXT record, RFC 1035 3.3.14 */
	QUERY_NO = 1,             /* exit code of -q, as grep's */
};

struct conf {
	const char *path;
	struct usertable table;
	struct keys keys;  /* of the records in the table */
	struct keys fresh; /* those of a table that is being opened */
	char why[WHY_MAX];
	bool refuse;       /* a message that cannot be signed is refused */
	bool insecure;     /* a message that came in the clear is signed, too */
	long long expires_s; /* 0: never */
};

/* A message in hand. */
struct work {
	struct call *call;
	struct conf *conf;
	struct header header;
	struct signature signature;
	struct record_item items[RECORD_ITEMS_MAX];
	size_t n;
	struct buf fields;                 /* the new signatures */
	struct buf done, kept, without;    /* for the log: signatures made, signatures found, domains without a record */
	char why[WHY_MAX];                 /* why the message is not signed; "": it is, or its domains have no record */
	int64_t start_ms;
};

/* Returns why a record cannot be used, or NULL after its keys were read. */
static const char *
bad_record(void *arg, struct table *t, const char *key, size_t n)
{
	struct conf *conf = arg;
	struct record_item items[RECORD_ITEMS_MAX + 1];
	const char *value, *p, *bad, *why;
	size_t len, bad_len, i, count;

	if (table_get(t, key, n, &value, &len) <= 0)
		return "damaged";
	for (p = value, count = 0; record_item(&p, value + len, key, n, &items[count], &bad, &bad_len) > 0; count++) {
		const struct record_item *item = &items[count];

		if (count == RECORD_ITEMS_MAX)
			return "too many keys";
		for (i = 0; i < count; i++)
			if (strcasecmp(items[i].selector, item->selector) == 0 && strcasecmp(items[i].domain, item->domain) == 0)
				return "a selector stands twice";
		why = keys_add(&conf->fresh, item->path, item->path_len);
		if (!why)
			continue;
		snprintf(conf->why, sizeof conf->why, "%.*s: %s", (int)(item->path_len < 200 ? item->path_len : 200), item->path,
		    why);
		return conf->why;
	}
	return bad ? RECORD_ITEM : NULL;
}

/* The keys of the table that was opened count, or, after a failure, those of the old one. */
static int
take_keys(struct conf *conf, int opened)
{
	keys_free(opened == 0 ? &conf->keys : &conf->fresh);
	if (opened == 0)
		conf->keys = conf->fresh;
	conf->fresh = (struct keys){ 0 };
	return opened;
}

/* SIGHUP: read the table and the keys anew. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;

	if (take_keys(conf, usertable_renew(&conf->table)) == 0)
		return 0;
	log_error(log, "failed", "%s: %s", conf->path, conf->table.why);
	return -1;
}

static void
log_done(const struct work *w)
{
	const char *why = *w->why ? w->why : NULL;
	char ms[24];

	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, "done", "user", facts_get(&w->call->facts, "SMTPAUTHUSER"), "signed", w->done.p,
	    "kept", w->kept.p, "why", why, "unsigned", why ? NULL : w->without.p, "ms", ms, (char *)NULL);
}

/* Hand the message on, with the new signatures on top. */
static int
pass(struct work *w)
{
	struct call *call = w->call;
	struct msgfile m = { 0 };
	off_t size;
	int fd = -1, r;

	if (w->fields.len > 0) {
		size = file_size(call->in);
		if (size >= 0 && msgfile_add(&m, w->fields.p, w->fields.len) == 0 && msgfile_add_file(&m, call->in, 0, size) == 0)
			fd = msgfile_finish(&m);
		msgfile_free(&m);
		if (fd < 0)
			return call_failed(call, "message");
	}
	if (call->kind == CALL_MESSAGE)
		log_done(w);
	r = call_next_with(call, fd, -1);
	if (fd >= 0)
		close(fd);
	return r;
}

/* The message is not signed, for the reason in w->why. */
static int
leave(struct work *w, enum reply reply)
{
	return w->conf->refuse ? call_reject(w->call, reply, w->why) : pass(w);
}

/*
 * A signature says that we know whose message this is, which a message from an open connection does not tell: RFC 6409
 * 8.6. Without a session the message is one of our own host.
 */
static bool
is_secure(const struct call *call)
{
	return !facts_get(&call->facts, "MSA_VERB") || facts_get(&call->facts, "SSL_PROTOCOL") ||
	    facts_get(&call->facts, "RELAYCLIENT");
}

/* Name a domain without a record. The reply that names it must be ASCII: the client may not know SMTPUTF8. */
static int
add_without(struct work *w, const char *domain)
{
	const char *p = domain;

	while (*p && !((unsigned char)*p & 0x80))
		p++;
	return w->without.len >= WITHOUT_MAX ? 0 :
	    buf_printf(&w->without, "%s%s", w->without.len ? " " : "", *p || p == domain ? "?" : domain);
}

/* Add the items of the record of a domain. Returns 0, or -1 with errno set, or with w->why set (errno is 0). */
static int
add_domain(struct work *w, const char *domain)
{
	struct addrtable_record record;
	struct record_item item;
	const char *p, *bad;
	size_t len, i;
	int found = record_find(&w->conf->table.table, domain, &record);

	if (found < 0)
		return -1;
	errno = 0;
	for (p = record.value; found > 0 && record_item(&p, record.value + record.len, record.key, strlen(record.key),
	    &item, &bad, &len) > 0;) {
		for (i = 0; i < w->n; i++)
			if (strcasecmp(w->items[i].selector, item.selector) == 0 && strcasecmp(w->items[i].domain, item.domain) == 0)
				break;
		if (i < w->n)
			continue;
		if (w->n == RECORD_ITEMS_MAX) {
			snprintf(w->why, sizeof w->why, "From: there are too many domains");
			return -1;
		}
		w->items[w->n++] = item;
	}
	return found == 0 || record.len == 0 ? add_without(w, domain) : 0;
}

/* Find the one From field. Returns false, with w->why set, if the message has none or several. */
static bool
find_from(struct work *w, struct field *from)
{
	struct field f;
	size_t pos = 0, n = 0;

	while (header_next(w->header.text.p, w->header.text.len, &pos, &f) != 0)
		if (f.id == FIELD_FROM) {
			*from = f;
			n++;
		}
	if (n != 1)
		snprintf(w->why, sizeof w->why, n == 0 ? "From: missing" : "From: there is more than one such field");
	return n == 1;
}

/* Find the keys for the domains in From. Returns as add_domain. */
static int
find_keys(struct work *w)
{
	char known[AUTHORS_MAX][ADDR_DOMAIN_MAX + 1]; /* domains */
	const char *text = w->header.text.p;
	enum addrlist_result r;
	struct addrlist_item m;
	struct addrlist list;
	struct field f;
	struct addr a;
	size_t n = 0, addresses = 0, i;

	errno = 0;
	if (!find_from(w, &f))
		return -1;
	addrlist_begin(&list, text, f.value, f.end);
	while ((r = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
		if (addresses++ == AUTHORS_MAX || addrlist_addr(text, &m, &a) < 0)
			break;
		domain_fold(known[n], addr_domain(&a), strlen(addr_domain(&a)));
		for (i = 0; strcmp(known[i], known[n]) != 0; i++)
			;
		if (i < n)
			continue;
		if (add_domain(w, known[n++]) < 0)
			return -1;
	}
	errno = 0;
	if (r == ADDRLIST_END && n > 0)
		return 0;
	snprintf(w->why, sizeof w->why, "From: there is no valid address, or there are too many");
	return -1;
}

/* Make the signatures that the message has not yet. Returns 0, or -1 with errno set. */
static int
make(struct work *w)
{
	struct signature_time t = { .made = (long long)time(NULL) };
	const char *eol = w->call->kind == CALL_MESSAGE || w->header.crlf ? "\r\n" : "\n";
	size_t i;

	if (w->conf->expires_s > 0)
		t.expires = t.made + w->conf->expires_s;
	for (i = 0; i < w->n; i++) {
		const struct record_item *item = &w->items[i];
		int there = signature_is_there(&w->signature, item, t.made);
		struct buf *said = there > 0 ? &w->kept : &w->done;

		if (there < 0 || buf_printf(said, "%s%s/%s", said->len ? " " : "", item->domain, item->selector) < 0 ||
		    (there == 0 && signature_make(&w->signature, item, &t, eol, &w->fields) < 0))
			return -1;
	}
	return 0;
}

static int
sign(struct work *w)
{
	switch (signature_begin(&w->signature, &w->conf->keys, &w->header)) {
	case SIGNATURE_ERROR:
		return call_failed(w->call, "header");
	case SIGNATURE_UNFIT:
		snprintf(w->why, sizeof w->why, "%s", w->signature.why);
		return leave(w, REPLY_BAD_MESSAGE);
	case SIGNATURE_OK:
		break;
	}
	if (signature_body(&w->signature, w->call->in) < 0)
		return call_failed(w->call, "message");
	if (make(w) < 0)
		return call_failed(w->call, "signature");
	return pass(w);
}

static int
serve_file(struct work *w)
{
	struct call *call = w->call;
	char why[WHY_MAX];

	switch (header_read(&w->header, call->in, HEADER_MAX)) {
	case HEADER_LONG:
		return call_reject(w->call, REPLY_BAD_MESSAGE, "Header is too long");
	case HEADER_ERROR:
		return call_failed(call, "header");
	case HEADER_OK:
		break;
	}
	if (w->header.bare && (call->kind == CALL_MESSAGE || w->header.crlf))
		return call_reject(w->call, REPLY_BARE, "Bare CR or bare LF in the header");
	if (!w->conf->insecure && !is_secure(call)) {
		snprintf(w->why, sizeof w->why, "The message came in the clear");
		return leave(w, REPLY_NO_RIGHT);
	}
	if (find_keys(w) < 0)
		return errno ? call_failed(call, w->conf->path) : leave(w, REPLY_BAD_MESSAGE);
	if (w->conf->refuse && w->without.len > 0) {
		snprintf(why, sizeof why, "From: there is no key to sign for %.300s", w->without.p);
		return call_reject(w->call, REPLY_NO_RIGHT, why);
	}
	return w->n > 0 ? sign(w) : pass(w);
}

static int
serve(struct call *call, void *arg)
{
	struct work w = { .call = call, .conf = arg, .start_ms = clock_ms() };
	int r;

	if (call_message(call) < 0)
		return call_failed(call, "input");
	r = serve_file(&w);
	header_free(&w.header);
	signature_free(&w.signature);
	buf_free(&w.fields);
	buf_free(&w.done);
	buf_free(&w.kept);
	buf_free(&w.without);
	return r;
}

/* Print the TXT record of a key as a line of a zone file. Returns 0, or -1 with errno set. */
static int
print_record(const struct key *key, const struct record_item *item)
{
	struct buf text = { 0 };
	size_t i;

	if (key_record(key, &text) < 0) {
		buf_free(&text);
		return -1;
	}
	printf("%s._domainkey.%s. TXT (", item->selector, item->domain);
	for (i = 0; i < text.len; i += STRING_MAX)
		printf(" \"%.*s\"", STRING_MAX, text.p + i);
	puts(" )");
	buf_free(&text);
	return 0;
}

/* -q: domain. Print what the DNS must have, so that the signatures of a domain's messages are good. */
static int
query(const struct instance *i)
{
	struct conf *conf = i->conf;
	char domain[ADDR_DOMAIN_MAX + 1];
	struct addrtable_record record;
	struct record_item item;
	const char *p, *bad, *word = i->words[0];
	size_t len, n = 0;

	if (!addr_is_domain(word, strlen(word))) {
		fprintf(stderr, "dkim-sign: %s: not a domain\n", word);
		return CHAIN_MISUSE;
	}
	domain_fold(domain, word, strlen(word));
	if (record_find(&conf->table.table, domain, &record) < 0) {
		fprintf(stderr, "dkim-sign: %s: %s\n", conf->path, table_why(errno));
		return CHAIN_LATER;
	}
	for (p = record.value; record_item(&p, record.value + record.len, record.key, strlen(record.key), &item, &bad,
	    &len) > 0; n++) {
		const struct key *key = keys_find(&conf->keys, item.path, item.path_len);

		if (!key || print_record(key, &item) < 0) {
			fprintf(stderr, "dkim-sign: %.*s: %s\n", (int)item.path_len, item.path, strerror(errno));
			return CHAIN_LATER;
		}
	}
	if (n == 0)
		puts(*record.key ? "The record is empty: no signature." : "There is no record: no signature.");
	return n > 0 ? CHAIN_DONE : QUERY_NO;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	switch (letter) {
	case 'i':
		conf->insecure = true;
		return 0;
	case 'r':
		conf->refuse = true;
		return 0;
	case 'x':
		return stage_number(i, letter, value, EXPIRES_MIN_S, EXPIRES_MAX_S, &conf->expires_s);
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

	if (!conf->path || (i->instead && i->nwords != 1))
		return -1;
	conf->table = (struct usertable){
		.bad = record_bad, .what = RECORD_ITEM, .is_bad_key = record_is_bad_key, .bad_record = bad_record, .arg = conf,
	};
	/* All keys are read now, for who serves cannot read them: also in an exec'd stage, which does not know From yet. */
	if (take_keys(conf, usertable_open(&conf->table, conf->path, true)) < 0)
		return stage_wrong(i, conf->path, "%s", conf->table.why);
	return 0;
}

static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	size_t n;

	for (n = 0; n < conf->keys.n; n++)
		if (conf->keys.v[n].is_rsa && key_bits(&conf->keys.v[n]) < KEY_BITS_SHOULD)
			finding_warning(i->asked, conf->keys.v[n].path, "make a new key of 2048 bits, with a new selector",
			    "has %d bits, and verifiers may not trust so short a key", key_bits(&conf->keys.v[n]));
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	keys_free(&conf->keys);
	usertable_close(&conf->table);
}

const struct stage dkim_sign_stage = {
	.name = "dkim-sign",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_TEMPORARY,
	.options = "iq:rt:x:",
	.usage = "-t table [-ir] [-x seconds] " STAGE_USAGE " [prog [arg ...]] | -q table domain",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.serve = serve,
	.reload = reload,
	.release = release,
	.examine = examine,
};
