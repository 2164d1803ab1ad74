/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/usertable.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "copies.h"
#include "msa/msgfile.h"
#include "stage/instance.h"

enum { SHOWN = 100 }; /* octets shown of an invalid item of the table */

struct conf {
	const char *path;
	struct usertable table;
};

/* Write to why what is wrong with the record that was found last. */
static void
explain(const struct copies *c, const char *path, char *why, size_t cap)
{
	if (c->bad)
		snprintf(why, cap, "%s: record of %s: %.*s: " COPIES_ITEM, path, c->record.key,
		    (int)(c->bad_len < SHOWN ? c->bad_len : SHOWN), c->bad);
	else
		snprintf(why, cap, "%s: record of %s: more than %d copies", path, c->record.key, COPIES_MAX);
}

/* Add the copies that the table names for a message. A recipient that an earlier stage refused has no address. */
static enum copies_result
find(struct copies *c, struct table *t, const struct envelope *e, const char *user)
{
	enum copies_result r = copies_add(c, t, COPIES_BY_ALL, NULL, 0);
	size_t i;

	if (r == COPIES_OK && user && *user)
		r = copies_add(c, t, COPIES_BY_USER, user, strlen(user));
	if (r == COPIES_OK && e->mail.path_len > 0)
		r = copies_add(c, t, COPIES_BY_SENDER, e->mail.path, e->mail.path_len);
	for (i = 0; r == COPIES_OK && i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_RCPT)
			r = copies_add(c, t, COPIES_BY_RCPT, e->rcpt[i].path, e->rcpt[i].path_len);
	return r;
}

/* Does the message go to this address already, as to a recipient or as a copy? */
static bool
is_there(const struct envelope *e, const struct addr *a)
{
	size_t i;

	for (i = 0; i < e->nrcpt + e->ncopy; i++)
		if (e->rcpt[i].path_len == a->len && strncmp(e->rcpt[i].path, a->text, a->len) == 0)
			return true;
	return false;
}

/* Remove the copies that the envelope has already, so that the stage may stand in a chain twice. */
static void
drop_known(struct copies *c, const struct envelope *e)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		if (!is_there(e, &c->to[i]))
			c->to[n++] = c->to[i];
	c->n = n;
}

/*
 * Make an envelope with the copies at its end. A next hop that knows DSN must not report to the sender what became of a
 * copy. Returns the descriptor, or -1 with errno set.
 */
static int
compose(const struct call *call, const struct envelope *e, const struct copies *c)
{
	struct buf b = { 0 };
	struct ehlo offer;
	const char *params;
	size_t i;
	int fd = -1, r;

	offer_from_facts(&offer, &call->facts);
	params = offer.caps & CAP_DSN ? " NOTIFY=NEVER" : "";
	r = buf_printf(&b, "%s\n", e->mail.text);
	for (i = 0; r == 0 && i < e->nrcpt + e->ncopy; i++)
		r = buf_printf(&b, "%s\n", e->rcpt[i].text);
	for (i = 0; r == 0 && i < c->n; i++)
		r = buf_printf(&b, "COPY TO:<%s>%s\n", c->to[i].text, params);
	if (r == 0 && b.len > CHAIN_ENVELOPE_MAX) {
		errno = EFBIG;
		r = -1;
	}
	if (r == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

static void
log_done(const struct call *call, const struct copies *c)
{
	struct buf list = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->n; i++)
		r = buf_printf(&list, "%s%s", i > 0 ? " " : "", c->to[i].text);
	log_event(&call->log, "done", "user", facts_get(&call->facts, "SMTPAUTHUSER"), "copies", list.p, (char *)NULL);
	buf_free(&list);
}

/* Hand the message on, with the copies. */
static int
pass(struct call *call, const struct envelope *e, struct copies *c)
{
	int fd = -1, r;

	drop_known(c, e);
	if (c->n > 0 && (fd = compose(call, e, c)) < 0)
		return call_failed(call, "envelope");
	log_done(call, c);
	r = call_next_with(call, -1, fd);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Open the table anew: after SIGHUP, or when the file has changed. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;

	if (usertable_renew(&conf->table) == 0)
		return 0;
	log_error(log, "failed", "%s: %s", conf->path, conf->table.why);
	return -1;
}

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	const struct envelope *e = call_envelope(call);
	struct copies c = { .n = 0 };
	char why[600];

	if (!e)
		return call_failed(call, NULL);
	if (table_changed(&conf->table.table)) /* a new table counts from this message on, if our user can read it */
		reload(conf, &call->log);
	switch (find(&c, &conf->table.table, e, facts_get(&call->facts, "SMTPAUTHUSER"))) {
	case COPIES_ERROR:
		return call_failed(call, conf->path);
	case COPIES_INVALID: /* a message must not pass the archive because of our mistake */
		explain(&c, conf->path, why, sizeof why);
		log_error(&call->log, "misuse", "%s", why);
		return call_verdict(call, REPLY_LOCAL_ERROR, NULL);
	case COPIES_OK:
		break;
	}
	return pass(call, e, &c);
}

/* Print the copies that one look-up adds, and by which key. Returns the exit code. */
static int
print(const struct conf *conf, struct copies *c, enum copies_by by, const char *name)
{
	struct table *t = (struct table *)&conf->table.table; /* a look-up moves a cursor in it */
	size_t i = c->n;
	char why[600];

	switch (copies_add(c, t, by, name, name ? strlen(name) : 0)) {
	case COPIES_ERROR:
		fprintf(stderr, "copy: %s: %s\n", conf->path, table_why(errno));
		return CHAIN_LATER;
	case COPIES_INVALID:
		explain(c, conf->path, why, sizeof why);
		fprintf(stderr, "copy: %s\n", why);
		return CHAIN_LATER;
	case COPIES_OK:
		break;
	}
	for (; i < c->n; i++)
		printf("%s: a copy, by %s\n", c->to[i].text, c->record.key);
	return CHAIN_DONE;
}

/* -q: sender recipient [user]. Returns the exit code. */
static int
query(const struct instance *i)
{
	const char *user = i->nwords > 2 ? i->words[2] : "";
	struct addr from = { .len = 0 }, to;
	struct copies c = { .n = 0 };
	int r, n;

	for (n = 0; n < 2; n++)
		if ((n == 1 || *i->words[0]) && addr_mailbox(i->words[n], strlen(i->words[n]), n == 0 ? &from : &to) < 0) {
			fprintf(stderr, "copy: %s: not an address\n", i->words[n]);
			return CHAIN_MISUSE;
		}
	r = print(i->conf, &c, COPIES_BY_ALL, NULL);
	if (r == CHAIN_DONE && *user)
		r = print(i->conf, &c, COPIES_BY_USER, user);
	if (r == CHAIN_DONE && from.len > 0)
		r = print(i->conf, &c, COPIES_BY_SENDER, from.text);
	if (r == CHAIN_DONE)
		r = print(i->conf, &c, COPIES_BY_RCPT, to.text);
	if (r == CHAIN_DONE && c.n == 0)
		puts("There is no copy.");
	return r;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	((struct conf *)arg)->path = value;
	if (letter == 'q')
		i->instead = query;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (!conf->path || (i->instead && i->nwords != 2 && i->nwords != 3))
		return -1;
	conf->table = (struct usertable){ .bad = copies_bad, .what = COPIES_ITEM, .is_bad_key = copies_is_bad_key };
	/* Only a resident checks the whole table: in an exec'd stage that would take longer than the message. */
	if (usertable_open(&conf->table, conf->path, i->options.path || i->asked) < 0)
		return stage_wrong(i, conf->path, "%s", conf->table.why);
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	stage_reads(c, ((const struct conf *)arg)->path);
}

const struct stage copy_stage = {
	.name = "copy",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_FILES | STAGE_TEMPORARY,
	.options = "q:t:",
	.usage = "-t table " STAGE_USAGE " prog [arg ...] | -q table sender recipient [user]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
};
