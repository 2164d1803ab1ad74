/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain/envelope.h"
#include "chain/limits.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "senders.h"
#include "stage/instance.h"

enum {
	WHY_MAX = 400,   /* octets; an address has 254 */
	BOXES_MAX = 100, /* addresses of a field: each is compared with the whole list */
};

struct conf {
	const char *path;
	struct usertable table;
};

/* The examination of a message. */
struct look {
	struct call *call;
	struct conf *conf;
	const char *user; /* NULL: nobody authenticated */
	struct senders senders;
	char why[WHY_MAX];
};

/* Refuse the message; l->why is the reason. Returns the exit code. */
static int
refuse(struct look *l, enum reply r)
{
	log_event(&l->call->log, "refused", "user", l->user, "ip", l->user ? NULL : facts_get(&l->call->facts, "TCPREMOTEIP"),
	    "why", l->why, (char *)NULL);
	return call_verdict(l->call, r, l->why);
}

static int
refuse_field(struct look *l, const char *name, const char *what)
{
	snprintf(l->why, sizeof l->why, "%s: %s", name, what);
	return refuse(l, REPLY_BAD_MESSAGE);
}

/* Check that the user may send as a, found in where. Returns CHAIN_DONE, or the exit code after giving the verdict. */
static int
may(struct look *l, const char *where, const struct addr *a)
{
	const char *bad;
	size_t n;

	switch (senders_has(&l->senders, a, &bad, &n)) {
	case 1:
		return CHAIN_DONE;
	case 0:
		/* the reply must be ASCII: the client may not know SMTPUTF8 */
		snprintf(l->why, sizeof l->why, "%s: %s%s%s is not yours to send as", where, a->is_utf8 ? "this address" : "<",
		    a->is_utf8 ? "" : a->text, a->is_utf8 ? "" : ">");
		return refuse(l, REPLY_NO_RIGHT);
	default:
		usertable_blame(&l->conf->table, l->user, bad, n);
		log_error(&l->call->log, "misuse", "%s: %s", l->conf->path, l->conf->table.why);
		return call_verdict(l->call, REPLY_LOCAL_ERROR, NULL);
	}
}

/*
 * Check every mailbox of a field. Refuse a field with words but no mailbox (an empty group, a comment), because mail
 * readers show the words. Refuse an encoded word in a local part, which RFC 2047 5 (3) forbids, because mail readers
 * may show it decoded. Returns as may.
 */
static int
look_at_field(struct look *l, const char *text, const struct field *f)
{
	const char *name = field_name(f->id);
	enum addrlist_result found = ADDRLIST_END;
	struct addrlist list;
	struct addrlist_item m;
	struct addr a;
	int r = CHAIN_DONE, n;

	addrlist_begin(&list, text, f->value, f->end);
	for (n = 0; r == CHAIN_DONE && (found = addrlist_next(&list, &m)) == ADDRLIST_BOX; n++) {
		if (n == BOXES_MAX)
			return refuse_field(l, name, "there are too many addresses");
		if (addrlist_addr(text, &m, &a) < 0 || !a.has_domain)
			return refuse_field(l, name, "an address is not valid, or has no domain");
		if (strstr(a.text, "=?"))
			return refuse_field(l, name, "an address has an encoded word in it");
		r = may(l, name, &a);
	}
	if (r == CHAIN_DONE && found == ADDRLIST_BAD)
		return refuse_field(l, name, "an address is not valid, or has no domain");
	if (r == CHAIN_DONE && n == 0 && !addrlist_is_blank(text, f->value, f->end))
		return refuse_field(l, name, "there is no address");
	return r;
}

/* Returns as may. */
static int
look_at_header(struct look *l, const struct header *h)
{
	struct field f;
	size_t pos = 0;
	int r = CHAIN_DONE, more;

	while (r == CHAIN_DONE && (more = header_next(h->text.p, h->text.len, &pos, &f)) != 0)
		if (more < 0) { /* another program may skip this line and find a From after it that we did not see */
			snprintf(l->why, sizeof l->why, "Line %zu is no header field", header_line(h->text.p, f.name));
			r = refuse(l, REPLY_BAD_MESSAGE);
		} else if (f.id == FIELD_FROM || f.id == FIELD_SENDER)
			r = look_at_field(l, h->text.p, &f);
	return r;
}

/* Returns as may. */
static int
look_at_message(struct look *l, struct header *h)
{
	switch (header_read(h, l->call->in, HEADER_MAX)) {
	case HEADER_LONG:
		snprintf(l->why, sizeof l->why, "Header is too long");
		return refuse(l, REPLY_BAD_MESSAGE);
	case HEADER_ERROR:
		return call_failed(l->call, "header");
	case HEADER_OK:
		break;
	}
	if (h->bare) {
		snprintf(l->why, sizeof l->why, "Bare CR or bare LF in the header");
		return refuse(l, REPLY_BARE);
	}
	return look_at_header(l, h);
}

/* Everybody may use the null reverse-path: RFC 6409 3.2. Returns as may. */
static int
look_at_envelope(struct look *l)
{
	const struct envelope *e = call_envelope(l->call);
	struct addr a;

	if (!e)
		return call_failed(l->call, NULL);
	if (e->mail.path_len == 0)
		return CHAIN_DONE;
	if (addr_mailbox(e->mail.path, e->mail.path_len, &a) < 0) {
		snprintf(l->why, sizeof l->why, "MAIL FROM: not a mailbox");
		return refuse(l, REPLY_NO_RIGHT);
	}
	return may(l, "MAIL FROM", &a);
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
	struct look l = { .call = call, .conf = conf, .user = facts_get(&call->facts, "SMTPAUTHUSER") };
	struct header h = { .crlf = false };
	int r;

	if (l.user && !*l.user)
		l.user = NULL;
	if (table_changed(&conf->table.table)) /* a new table counts from this message on, if our user can read it */
		reload(conf, &call->log);
	if (senders_find(&l.senders, &conf->table, l.user) < 0)
		return call_failed(call, conf->path);
	if (l.senders.stopped) {
		snprintf(l.why, sizeof l.why, "You may not send");
		return refuse(&l, REPLY_NO_RIGHT);
	}
	r = look_at_envelope(&l);
	if (r == CHAIN_DONE)
		r = look_at_message(&l, &h);
	header_free(&h);
	if (r != CHAIN_DONE)
		return r;
	log_event(&call->log, "done", "user", l.user, "ip", l.user ? NULL : facts_get(&call->facts, "TCPREMOTEIP"),
	    (char *)NULL);
	return call_next(call);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	(void)letter;
	(void)i;
	((struct conf *)arg)->path = value;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (!conf->path)
		return -1;
	conf->table = (struct usertable){ .bad = senders_bad, .what = SENDERS_ITEM };
	/* Only a resident checks the whole table: in an exec'd stage that would take longer than the message. */
	if (usertable_open(&conf->table, conf->path, i->options.path) < 0)
		return stage_wrong(i, conf->path, "%s", conf->table.why);
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	stage_reads(c, ((const struct conf *)arg)->path);
}

const struct stage rights_stage = {
	.name = "rights",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_FILES,
	.options = "s:",
	.usage = "-s senders " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
};
