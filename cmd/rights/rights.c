/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/senders.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/strictlist.h"
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
	const char *path;
	struct usertable table;
	enum form form;
};

/* The examination of a message. */
struct look {
	struct call *call;
	struct conf *conf;
	const char *user; /* NULL: nobody authenticated */
	struct senders senders;
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
	const char *bad;
	size_t len, i;

	if (senders_judge(&l->senders, claims, n, &bad, &len) < 0) {
		usertable_blame(&l->conf->table, l->user, bad, len);
		log_error(&l->call->log, "misuse", "%s: %s", l->conf->path, l->conf->table.why);
		return call_verdict(l->call, REPLY_LOCAL_ERROR, NULL);
	}
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
	if (r == CHAIN_DONE && !l.senders.any) /* who may send as anybody may do so in any form */
		r = look_at_message(&l, &h);
	header_free(&h);
	if (r != CHAIN_DONE)
		return r;
	log_event(&call->log, "done", "user", l.user, "ip", l.user ? NULL : facts_get(&call->facts, "TCPREMOTEIP"),
	    (char *)NULL);
	return call_next(call);
}

/*
 * -q: user address. "-" is a peer without a user, and an empty address the null reverse-path. Print whether the user
 * may send as the address. Returns the exit code.
 */
static int
query(const struct instance *i)
{
	struct conf *conf = i->conf;
	const char *user = strcmp(i->words[0], "-") == 0 ? NULL : i->words[0], *bad;
	struct claim claim = { .is_allowed = true };
	struct senders senders;
	struct addr a = { .text = "" };
	size_t len;

	if (*i->words[1] && addr_mailbox(i->words[1], strlen(i->words[1]), &a) < 0) {
		fprintf(stderr, "rights: %s: not an address\n", i->words[1]);
		return CHAIN_MISUSE;
	}
	if (senders_find(&senders, &conf->table, user) < 0) {
		fprintf(stderr, "rights: %s: %s\n", conf->path, table_why(errno));
		return CHAIN_LATER;
	}
	if (*a.text)
		claim_set(&claim, "", &a);
	if (*a.text && senders_judge(&senders, &claim, 1, &bad, &len) < 0) {
		usertable_blame(&conf->table, user, bad, len);
		fprintf(stderr, "rights: %s: %s\n", conf->path, conf->table.why);
		return CHAIN_LATER;
	}
	claim.is_allowed &= !senders.stopped;
	printf("%s may %ssend%s%s\n", user ? user : "A peer without a user", claim.is_allowed ? "" : "not ",
	    senders.stopped ? "" : " as ", senders.stopped ? "" : *a.text ? a.text : "<>");
	if (senders.len > 0)
		printf("The record is: %.*s\n", (int)senders.len, senders.list);
	else
		puts("There is no record.");
	return claim.is_allowed ? CHAIN_DONE : QUERY_NO;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	if (letter == 's' || letter == 'q') {
		conf->path = value;
		if (letter == 'q')
			i->instead = query;
		return 0;
	}
	conf->form = strcmp(value, "names") == 0 ? FORM_NAMES : strcmp(value, "all") == 0 ? FORM_ALL : FORM_STRICT;
	return conf->form == FORM_STRICT ? stage_wrong(i, value, "not names or all") : 0;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (!conf->path || (i->instead && i->nwords != 2))
		return -1;
	conf->table = (struct usertable){ .bad = senders_bad, .what = SENDERS_ITEM, .is_bad_key = senders_is_bad_key };
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
	.options = "g:q:s:",
	.usage = "-s senders [-g names|all] " STAGE_USAGE " prog [arg ...] | -q senders user address",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
};
