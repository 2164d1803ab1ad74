/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "auth/recipients.h"
#include "auth/senders.h"
#include "base/username.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/strictlist.h"
#include "refusals.h"
#include "stage/instance.h"

enum {
	WHY_MAX = 400,    /* octets; an address has 254 */
	QUERY_NO = 1,     /* exit code of -q, as grep's */
	CLAIMS_MAX = 100, /* addresses of a message: each is compared with the whole list */
};

/* Which forms of From and of the other fields are accepted. */
enum form {
	FORM_STRICT,
	FORM_NAMES, /* with any punctuation in encoded words */
	FORM_ALL,   /* all that RFC 5322 allows */
};

struct conf {
	const char *path, *rcpts_path; /* -s, -t; NULL: no such table */
	struct usertable table, rcpts;
	enum form form;
	bool check; /* -n: answer for the recipients, and hand nothing on */
	struct postmaster postmaster;
};

/* The examination of a message. */
struct look {
	struct call *call;
	struct conf *conf;
	const char *user;  /* NULL: nobody authenticated */
	const char *label; /* of the password; NULL: not known */
	struct senders senders;
	struct refusals refusals;
	char why[WHY_MAX];
};

/* The fields that mail readers show as the author: Return-Path if From is missing or has two addresses. */
enum author { FROM, SENDER, RESENT_FROM, RESENT_SENDER, RETURN_PATH, AUTHOR, APPARENTLY_FROM, AUTHORS };
static const char *const author_names[AUTHORS] = {
	[FROM] = "From",
	[SENDER] = "Sender",
	[RESENT_FROM] = "Resent-From",
	[RESENT_SENDER] = "Resent-Sender",
	[RETURN_PATH] = "Return-Path",
	[AUTHOR] = "Author", /* RFC 9057 */
	[APPARENTLY_FROM] = "Apparently-From",
};

/* The addresses of a header. */
struct claims {
	struct claim v[CLAIMS_MAX];
	size_t n;
	bool seen[AUTHORS];
};

/* Refuse the message; l->why is the reason. Returns the exit code. */
static int
refuse(struct look *l, enum reply r)
{
	log_event(&l->call->log, "refused", "user", l->user, "ip", l->user ? NULL : facts_get(&l->call->facts, "TCPREMOTEIP"),
	    "why", l->why, (char *)NULL);
	return call_verdict(l->call, r, l->why);
}

/* A table cannot be used for this message; errno is set. Returns the exit code. */
static int
give_up(struct look *l, const char *path, const struct usertable *t)
{
	if (!*t->why)
		return call_failed(l->call, path);
	log_error(&l->call->log, "misuse", "%s: %s", path, t->why);
	return call_verdict(l->call, REPLY_LOCAL_ERROR, NULL);
}

static int
refuse_field(struct look *l, const char *name, const char *what)
{
	snprintf(l->why, sizeof l->why, "%s: %s", name, what);
	return refuse(l, REPLY_BAD_MESSAGE);
}

/*
 * Check that the user may send as each of the addresses. Returns CHAIN_DONE, or the exit code after giving the
 * verdict.
 */
static int
may(struct look *l, struct claim *claims, size_t n)
{
	const struct addr *a;
	size_t i;

	if (senders_judge(&l->senders, claims, n) < 0)
		return give_up(l, l->conf->path, &l->conf->table);
	for (i = 0; i < n && claims[i].is_allowed; i++)
		;
	if (i == n)
		return CHAIN_DONE;
	/* the reply must be ASCII: the client may not know SMTPUTF8 */
	a = &claims[i].addr;
	snprintf(l->why, sizeof l->why, "%s: %s%s%s is not yours to send as", claims[i].where,
	    a->is_utf8 ? "this address" : "<", a->is_utf8 ? "" : a->text, a->is_utf8 ? "" : ">");
	return refuse(l, REPLY_NO_RIGHT);
}

/* Add an address to the claims. Returns NULL, or why it cannot be added. */
static const char *
add_claim(struct claims *claims, const char *name, const struct addr *a)
{
	if (claims->n == CLAIMS_MAX)
		return "there are too many addresses";
	claim_set(&claims->v[claims->n++], name, a);
	return NULL;
}

/* Add the addresses of a field in the one form that all readers read alike. Returns as add_claim. */
static const char *
add_strict(struct claims *claims, const char *name, const char *text, const struct field *f, enum form form)
{
	enum strictlist_result found;
	struct strictlist list;
	const char *why = NULL;
	struct addr a;

	if (f->value != f->name_end + 1) /* some readers take this field for another one, or for the message's text */
		return "white space stands before the colon";
	strictlist_begin(&list, text, f->value, f->end);
	list.any_punctuation = form == FORM_NAMES;
	while (!why && (found = strictlist_next(&list, &a)) != STRICTLIST_END)
		why = found == STRICTLIST_BOX ? add_claim(claims, name, &a) : list.why;
	return why;
}

/*
 * Add the addresses of a field in any form of RFC 5322. Refuse a field with words but no mailbox (an empty group, a
 * comment), because mail readers show the words. Refuse an encoded word in a local part, which RFC 2047 5 (3) forbids,
 * because mail readers may show it decoded. Returns as add_claim.
 */
static const char *
add_general(struct claims *claims, const char *name, const char *text, const struct field *f)
{
	static const char invalid[] = "an address is not valid, or has no domain";
	enum addrlist_result found;
	struct addrlist list;
	struct addrlist_item m;
	struct addr a;
	const char *why;
	size_t before = claims->n;

	addrlist_begin(&list, text, f->value, f->end);
	while ((found = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
		if (addrlist_addr(text, &m, &a) < 0 || !a.has_domain)
			return invalid;
		if (strstr(a.text, "=?"))
			return "an address has an encoded word in it";
		why = add_claim(claims, name, &a);
		if (why)
			return why;
	}
	if (found == ADDRLIST_BAD)
		return invalid;
	return claims->n == before && !addrlist_is_blank(text, f->value, f->end) ? "there is no address" : NULL;
}

/* Add the addresses of a field that readers show as the author. Returns as add_claim. */
static const char *
add_author(struct claims *claims, enum author author, const char *text, const struct field *f, enum form form)
{
	bool is_resent = author == RESENT_FROM || author == RESENT_SENDER, again = claims->seen[author];

	claims->seen[author] = true;
	if (author == APPARENTLY_FROM)
		return "this field is not accepted";
	if (again && !(is_resent && form == FORM_ALL)) /* a message that was resent twice has two */
		return "there is more than one such field";
	return form == FORM_ALL ? add_general(claims, author_names[author], text, f) :
	    add_strict(claims, author_names[author], text, f, form);
}

/* Returns as may. */
static int
look_at_header(struct look *l, const struct header *h)
{
	const char *text = h->text.p, *why;
	struct claims claims;
	struct field f;
	size_t pos = 0;
	int author, more;

	claims.n = 0;
	memset(claims.seen, 0, sizeof claims.seen);
	while ((more = header_next(text, h->text.len, &pos, &f)) != 0) {
		if (more < 0) { /* another program may skip this line and find a From after it that we did not see */
			snprintf(l->why, sizeof l->why, "Line %zu is not a header field", header_line(text, f.name));
			return refuse(l, REPLY_BAD_MESSAGE);
		}
		for (author = 0; author < AUTHORS && !field_is(text, &f, author_names[author]); author++)
			;
		why = author == AUTHORS ? NULL : add_author(&claims, (enum author)author, text, &f, l->conf->form);
		if (why)
			return refuse_field(l, author_names[author], why);
	}
	return may(l, claims.v, claims.n);
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
	struct claim claim;
	struct addr a;

	if (!e)
		return call_failed(l->call, NULL);
	if (e->mail.path_len == 0)
		return CHAIN_DONE;
	if (addr_mailbox(e->mail.path, e->mail.path_len, &a) < 0) {
		snprintf(l->why, sizeof l->why, "MAIL FROM: not a mailbox");
		return refuse(l, REPLY_NO_RIGHT);
	}
	claim_set(&claim, "MAIL FROM", &a);
	return may(l, &claim, 1);
}

/* Look whether the user may send as the addresses of the message. Returns as may. */
static int
look_at_senders(struct look *l)
{
	struct header h = { .crlf = false };
	int r;

	if (senders_find(&l->senders, &l->conf->table, l->user, l->label) < 0)
		return give_up(l, l->conf->path, &l->conf->table);
	if (l->senders.stopped) {
		snprintf(l->why, sizeof l->why, "You may not send");
		return refuse(l, REPLY_NO_RIGHT);
	}
	r = look_at_envelope(l);
	if (r == CHAIN_DONE && !l->senders.any) /* who may send as anybody may do so in any form */
		r = look_at_message(l, &h);
	header_free(&h);
	return r;
}

/* Look which recipients the user may not write to. Returns CHAIN_DONE, or the exit code after giving the verdict. */
static int
look_at_recipients(struct look *l)
{
	struct conf *conf = l->conf;
	const struct envelope *e = call_envelope(l->call);
	struct recipients recipients;

	if (!e)
		return call_failed(l->call, NULL);
	if (recipients_find(&recipients, &conf->rcpts, l->user, l->label) < 0 ||
	    refusals_find(&l->refusals, e, &recipients, &conf->postmaster) < 0)
		return give_up(l, conf->rcpts_path, &conf->rcpts);
	return CHAIN_DONE;
}

/* Open a table anew. Returns 0, or -1 with the reason logged; then the old table stays. */
static int
renew(struct usertable *t, const char *path, const struct log *log)
{
	if (usertable_renew(t) == 0)
		return 0;
	log_error(log, "failed", "%s: %s", path, t->why);
	return -1;
}

/* SIGHUP: open the tables anew. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	int senders = conf->path ? renew(&conf->table, conf->path, log) : 0;
	int rcpts = conf->rcpts_path ? renew(&conf->rcpts, conf->rcpts_path, log) : senders;

	return !conf->path || senders == rcpts ? rcpts : 1;
}

/* A new table counts from this message on, if our user can read it. */
static void
refresh(struct conf *conf, const struct log *log)
{
	if (conf->path && table_changed(&conf->table.table))
		renew(&conf->table, conf->path, log);
	if (conf->rcpts_path && table_changed(&conf->rcpts.table))
		renew(&conf->rcpts, conf->rcpts_path, log);
}

static void
log_done(const struct look *l)
{
	const struct refusals *f = &l->refusals;
	char n[24], first[ADDR_MAILBOX_MAX + 1] = "";

	snprintf(n, sizeof n, "%zu", f->n);
	if (f->n > 0) {
		const struct envelope_line *rcpt = &call_envelope(l->call)->rcpt[f->first];

		snprintf(first, sizeof first, "%.*s", (int)rcpt->path_len, rcpt->path);
	}
	log_event(&l->call->log, "done", "user", l->user, "ip", l->user ? NULL : facts_get(&l->call->facts, "TCPREMOTEIP"),
	    "refused", f->n > 0 ? n : NULL, "rcpt", f->n > 0 ? first : NULL, (char *)NULL);
}

/* -n: give each recipient its reply. Returns the exit code. */
static int
answer(struct look *l)
{
	const struct envelope *e = call_envelope(l->call);
	struct verdict v = { .n = 0 };

	return refusals_verdict(&l->refusals, e, &v) < 0 ? call_failed(l->call, "verdict") : call_answer(l->call, &v);
}

/* Hand the message on, with a reply in the place of each recipient who is refused. Returns the exit code. */
static int
hand_on(struct look *l)
{
	int envelope, code;

	if (l->refusals.n == 0)
		return call_next(l->call);
	envelope = refusals_envelope(&l->refusals, call_envelope(l->call));
	if (envelope < 0)
		return call_failed(l->call, "envelope");
	code = call_next_with(l->call, -1, envelope);
	close(envelope);
	return code;
}

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	struct look l = { .call = call, .conf = conf, .user = facts_get(&call->facts, "SMTPAUTHUSER"),
		.label = facts_get(&call->facts, "SMTPAUTHLABEL") };
	int r = CHAIN_DONE;

	if (call->kind == CALL_FILTER) { /* -n: instance_read asks only those that hand on */
		fprintf(stderr, "rights: MSA_MESSAGE is not set: not in a chain (submit starts one)\n");
		return CHAIN_MISUSE;
	}
	if (l.user && !*l.user)
		l.user = NULL;
	refresh(conf, &call->log);
	if (conf->path)
		r = look_at_senders(&l);
	if (r == CHAIN_DONE && conf->rcpts_path)
		r = look_at_recipients(&l);
	if (r == CHAIN_DONE) {
		log_done(&l);
		r = conf->check ? answer(&l) : hand_on(&l);
	}
	refusals_free(&l.refusals);
	return r;
}

/* The user of a question, whose word is "user" or "user/label"; "-" is a peer without a user. */
struct asker {
	char text[TABLE_KEY_MAX + 1];
	const char *user, *label; /* NULL: none */
};

/* Returns 0, or -1: the word is too long. */
static int
asker_read(struct asker *a, const char *word)
{
	size_t n = strlen(word), user = username_before_label(word, n);

	if (n > TABLE_KEY_MAX)
		return -1;
	memcpy(a->text, word, n + 1);
	a->text[user] = '\0';
	a->user = strcmp(word, "-") == 0 ? NULL : a->text;
	a->label = user < n ? a->text + user + 1 : NULL;
	return 0;
}

/* Print the lists of the groups that a record names. */
static void
print_groups(const struct permit *p, const struct permit_record *r)
{
	const char *at = r->list, *item, *list;
	size_t len, n;

	while ((item = usertable_item(&at, r->list + r->len, &len)))
		if (permit_is_group(item, len) && table_get_lower(&p->table->table, item, len, &list, &n) == 1)
			printf("The record of %.*s is: %.*s\n", (int)len, item, (int)n, list);
}

static void
print_records(const struct permit *p)
{
	if (p->own.found)
		printf("The record is: %.*s\n", (int)p->own.len, p->own.list);
	else
		puts("There is no record.");
	if (p->narrow.found)
		printf("The record of %s/%s is: %.*s\n", p->user, p->label, (int)p->narrow.len, p->narrow.list);
	print_groups(p, &p->own);
	print_groups(p, &p->narrow);
}

/* The question cannot be answered. Returns the exit code. */
static int
fail(const char *path, const struct usertable *t)
{
	fprintf(stderr, "rights: %s: %s\n", path, *t->why ? t->why : table_why(errno));
	return CHAIN_LATER;
}

/* -q: user address. An empty address is the null reverse-path. Print whether the user may send as the address. */
static int
ask_sender(struct conf *conf, const struct asker *who, const struct addr *a)
{
	struct claim claim = { .is_allowed = true };
	struct senders senders;

	if (senders_find(&senders, &conf->table, who->user, who->label) < 0)
		return fail(conf->path, &conf->table);
	if (*a->text)
		claim_set(&claim, "", a);
	if (*a->text && senders_judge(&senders, &claim, 1) < 0)
		return fail(conf->path, &conf->table);
	claim.is_allowed &= !senders.stopped;
	printf("%s may %ssend%s%s\n", who->user ? who->user : "A peer without a user", claim.is_allowed ? "" : "not ",
	    senders.stopped ? "" : " as ", senders.stopped ? "" : *a->text ? a->text : "<>");
	print_records(&senders.permit);
	return claim.is_allowed ? CHAIN_DONE : QUERY_NO;
}

/* -Q: user address. Print whether the user may write to the address. */
static int
ask_recipient(struct conf *conf, const struct asker *who, const struct addr *a)
{
	struct recipients recipients;
	bool exempt = postmaster_is(&conf->postmaster, a->text, a->len);
	int may;

	if (recipients_find(&recipients, &conf->rcpts, who->user, who->label) < 0 ||
	    (may = recipients_judge(&recipients, a)) < 0)
		return fail(conf->rcpts_path, &conf->rcpts);
	may |= exempt;
	printf("%s may %swrite to %s%s\n", who->user ? who->user : "A peer without a user", may ? "" : "not ", a->text,
	    exempt ? ", the postmaster" : "");
	print_records(&recipients.permit);
	return may ? CHAIN_DONE : QUERY_NO;
}

/* -q, -Q. Returns the exit code. */
static int
query(const struct instance *i)
{
	static const char postmaster[] = "postmaster";
	struct conf *conf = i->conf;
	const char *address = i->words[1];
	struct addr a = { .text = "" };
	struct asker who;

	if (asker_read(&who, i->words[0]) < 0) {
		fprintf(stderr, "rights: the user's name is longer than %d octets\n", TABLE_KEY_MAX);
		return CHAIN_LATER; /* as a message of this user */
	}
	if (conf->rcpts_path && strcasecmp(address, postmaster) == 0)
		a.local_len = a.len = strlen(strcpy(a.text, postmaster));
	else if ((*address || conf->rcpts_path) && addr_mailbox(address, strlen(address), &a) < 0) {
		fprintf(stderr, "rights: %s: not an address\n", address);
		return CHAIN_MISUSE;
	}
	return conf->rcpts_path ? ask_recipient(conf, &who, &a) : ask_sender(conf, &who, &a);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	const char *why;

	switch (letter) {
	case 'm':
		why = postmaster_add(&conf->postmaster, value);
		return why ? stage_wrong(i, value, "%s", why) : 0;
	case 'n':
		conf->check = true;
		return 0;
	case 'q':
	case 's':
		if (letter == 'q')
			i->instead = query;
		conf->path = value;
		return 0;
	case 'Q':
	case 't':
		if (letter == 'Q')
			i->instead = query;
		conf->rcpts_path = value;
		return 0;
	default:
		conf->form = strcmp(value, "names") == 0 ? FORM_NAMES : strcmp(value, "all") == 0 ? FORM_ALL : FORM_STRICT;
		return conf->form == FORM_STRICT ? stage_wrong(i, value, "not names or all") : 0;
	}
}

/* Open a table. Only a resident checks the whole: in an exec'd stage that would take longer than the message. */
static int
open_table(struct usertable *t, const char *path, struct instance *i)
{
	return !path || usertable_open(t, path, i->options.path) == 0 ? 0 : stage_wrong(i, path, "%s", t->why);
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (i->instead ? i->nwords != 2 || (conf->path && conf->rcpts_path) || conf->check :
	    (!conf->path && !conf->rcpts_path) || conf->check != (i->next.how == NEXT_NONE))
		return -1;
	if (conf->postmaster.n > 0 && !conf->rcpts_path)
		return stage_wrong(i, "-m", "only with a table of recipients");
	conf->table = (struct usertable)SENDERS_FORM;
	conf->rcpts = (struct usertable)RECIPIENTS_FORM;
	return open_table(&conf->table, conf->path, i) < 0 || open_table(&conf->rcpts, conf->rcpts_path, i) < 0 ? -1 : 0;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	if (conf->path)
		stage_reads(c, conf->path);
	if (conf->rcpts_path)
		stage_reads(c, conf->rcpts_path);
}

static void
examine(const void *arg, struct instance *i)
{
	(void)i;
	if (!((const struct conf *)arg)->check)
		return;
	finding_fact("ends", "");
	finding_fact("checks", "");
}

const struct stage rights_stage = {
	.name = "rights",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs_chain = true,
	.needs = STAGE_FILES | STAGE_TEMPORARY,
	.options = "g:m:nq:Q:s:t:",
	.usage = "[-s senders] [-t recipients] [-g names|all] [-m domain ...] " STAGE_USAGE " prog [arg ...] | "
	    "-n [-s senders] [-t recipients] [-g names|all] [-m domain ...] " STAGE_USAGE " | "
	    "-q senders user address | -Q recipients [-m domain ...] user address",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.examine = examine,
};
