/* ISC licence, see LICENSE. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/username.h"
#include "base/usertable.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "counts.h"
#include "net/ipaddr.h"
#include "shared.h"
#include "smtp/postmaster.h"
#include "stage/instance.h"

/* What -q answers by its exit code: as grep's. */
enum { QUERY_YES = 0, QUERY_NO = 1 };

struct conf {
	struct rates rates; /* for users without a record in the table */
	bool only_look;     /* -n: judge each message, count none */
	bool pass;          /* -p: a server that cannot be asked is as good as one that has counted nothing */
	const char *place, *path; /* path NULL: no table */
	int directory;      /* at place; -1: the counts are shared */
	struct shared shared;
	const char *login_path; /* NULL: no password for the server */
	struct usertable table;
	struct postmaster postmaster; /* whose mail does not count */
};

/* What a message is counted for: its user or peer, or a password of the user. */
struct account {
	char name[TABLE_KEY_MAX + USERNAME_LABEL_MAX + 2]; /* of a password */
	const char *who;
	bool is_peer;
	struct rates rates;
};

/*
 * Count the recipients that are still to be served, but for the postmaster, of whom *exempt is the number. Returns
 * CHAIN_DONE, or the exit code of the verdict.
 */
static int
count_recipients(const struct conf *conf, struct call *call, int64_t *k, int64_t *exempt)
{
	const struct envelope *e = call_envelope(call);
	size_t i;

	*k = *exempt = 0;
	if (!e)
		return call_failed(call, NULL);
	for (i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_RCPT)
			++*(postmaster_is(&conf->postmaster, e->rcpt[i].path, e->rcpt[i].path_len) ? exempt : k);
	return CHAIN_DONE;
}

/* Open the table anew. Returns 0, or -1 with the reason logged; then the old table stays. */
static int
reload_table(struct conf *conf, const struct log *log)
{
	if (usertable_renew(&conf->table) == 0)
		return 0;
	log_error(log, "failed", "%s: %s", conf->path, conf->table.why);
	return -1;
}

static bool
is_shared(const struct conf *conf)
{
	return conf->shared.server.text;
}

/* Open the directory, or read the password, anew. Returns as reload_table. */
static int
reload_place(struct conf *conf, const struct log *log)
{
	const char *why, *path = is_shared(conf) ? conf->login_path : conf->place;
	int directory = -1;

	if (is_shared(conf) ? path && shared_login(&conf->shared, path, &why) < 0 :
	    (directory = file_open_directory(path, false, &why)) < 0) {
		log_error(log, "failed", "%s: %s", path, why);
		return -1;
	}
	if (directory >= 0) {
		close(conf->directory);
		conf->directory = directory;
	}
	return 0;
}

/* SIGHUP: open the table and the place of the counts anew. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	int place = reload_place(conf, log), table = conf->path ? reload_table(conf, log) : place;

	return place == table ? place : 1;
}

/*
 * Find the rates of user: those of the user's record, or else those of the options. With a label, those of the record
 * of this password, or none. Returns 0; or -1 with errno set (EPROTO: the table is damaged, or its record is invalid
 * and conf->table.why says how).
 */
static int
find_rates(struct conf *conf, const char *user, const char *label, struct rates *rates)
{
	char name[TABLE_KEY_MAX + USERNAME_LABEL_MAX + 2];
	const char *value, *bad;
	size_t len = 0;
	int found = 0;

	*rates = label ? (struct rates){ .n = 0 } : conf->rates;
	*conf->table.why = '\0';
	if (conf->path)
		found = label ? usertable_get_label(&conf->table, &user, 1, label, &value, &len) :
		    usertable_get(&conf->table, user, &value, &len);
	if (found < 0)
		return -1;
	bad = found ? rates_read(rates, value, len, &len) : NULL;
	if (!bad)
		return 0;
	snprintf(name, sizeof name, "%s%s%s", user ? user : "-", label ? "/" : "", label ? label : "");
	usertable_blame(&conf->table, name, bad, len);
	errno = EPROTO;
	return -1;
}

/* Find the rates of a message's user, or of the password. Returns as count_recipients. */
static int
learn_rates(struct conf *conf, struct call *call, const char *user, const char *label, struct rates *rates)
{
	if (find_rates(conf, user, label, rates) == 0)
		return CHAIN_DONE;
	if (!*conf->table.why)
		return call_failed(call, conf->path);
	log_error(&call->log, "misuse", "%s: %s", conf->path, conf->table.why);
	return call_verdict(call, REPLY_LOCAL_ERROR, NULL);
}

static int
refuse(struct call *call, const char *who, enum reply r, const char *why)
{
	log_event(&call->log, "refused", "who", who, "why", why, (char *)NULL);
	return call_verdict(call, r, why);
}

/* Returns the name to count a peer by: its IPv4 address, or the /64 of its IPv6 address: one host may have it all. */
static const char *
peer(const char *ip, char net[IPADDR_TEXT + 4])
{
	struct ipaddr a;

	if (!ip || !*ip)
		return "-";
	if (ipaddr_parse_zoned(&a, ip) < 0)
		return ip;
	if (ipaddr_is_v4(&a)) {
		ipaddr_text(&a, net);
		return net;
	}
	memset(a.octet + 8, 0, 8);
	ipaddr_text(&a, net);
	return strcat(net, "/64");
}

/* Returns the time of day, in milliseconds since 1970. */
static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Ask only, and count nothing. Returns as shared_count. */
static enum counts_result
look(const struct conf *conf, int64_t deadline_ms, const char *who, bool is_peer, const struct rates *rates, int64_t k,
    struct shared_answer *a)
{
	enum counts_result r;

	if (is_shared(conf))
		return shared_count(&conf->shared, deadline_ms, who, is_peer, rates, k, false, a);
	a->now_ms = now();
	r = counts_ask(conf->directory, who, is_peer, rates, k, a->now_ms, &a->state, &a->which, &a->wait_s);
	if (r == COUNTS_ERROR)
		snprintf(a->why, sizeof a->why, "%s", strerror(errno));
	return r;
}

/* Count k recipients, or only ask whether they would be counted. Returns as shared_count, without a state. */
static enum counts_result
count(const struct conf *conf, struct call *call, const struct account *by, bool only_look, int64_t k,
    struct shared_answer *a)
{
	enum counts_result r;

	if (by->rates.n == 0)
		return COUNTS_OK;
	if (only_look)
		return look(conf, call_own_deadline(call), by->who, by->is_peer, &by->rates, k, a);
	if (is_shared(conf))
		return shared_count(&conf->shared, call_own_deadline(call), by->who, by->is_peer, &by->rates, k, true, a);
	r = counts_add(conf->directory, by->who, by->is_peer, &by->rates, k, now(), &a->which, &a->wait_s);
	if (r == COUNTS_ERROR)
		snprintf(a->why, sizeof a->why, "%s", strerror(errno));
	return r;
}

/* The message could not be counted. Returns CHAIN_DONE if that does not matter, or the exit code of the verdict. */
static int
fail(const struct conf *conf, struct call *call, const char *reason)
{
	if (!is_shared(conf))
		return call_failed(call, conf->place);
	log_event(&call->log, "failed", "to", conf->shared.server.text, "reason", reason, "passed", conf->pass ? "yes" : NULL,
	    (char *)NULL);
	return conf->pass ? CHAIN_DONE : call_verdict(call, REPLY_LOCAL_ERROR, NULL);
}

/* Refuse a message because of what was counted for by. Returns as fail. */
static int
judge(const struct conf *conf, struct call *call, const struct account *by, enum counts_result result,
    const struct shared_answer *a)
{
	char why[120];

	switch (result) {
	case COUNTS_OK:
		break;
	case COUNTS_OVER:
		snprintf(why, sizeof why, "Over %lld recipients in %lld s, try again in %lld s", (long long)a->which->n,
		    (long long)a->which->seconds, (long long)a->wait_s);
		return refuse(call, by->who, REPLY_OVER_LIMIT, why);
	case COUNTS_NEVER:
		snprintf(why, sizeof why, "More recipients than the %lld in %lld s that you may send to", (long long)a->which->n,
		    (long long)a->which->seconds);
		return refuse(call, by->who, REPLY_NO_RIGHT, why);
	case COUNTS_ERROR:
		return fail(conf, call, a->why);
	}
	return CHAIN_DONE;
}

/*
 * Count the k recipients for the user, and for the password if that has rates. Only ask for the user first: what the
 * user may not send is not counted for the password. Returns as fail.
 */
static int
charge(const struct conf *conf, struct call *call, const struct account *user, const struct account *password,
    int64_t k)
{
	const struct account *by[] = { user, password, user };
	enum counts_result result = COUNTS_OK;
	struct shared_answer a;
	size_t i = password->rates.n > 0 ? 0 : 2;
	int r = CHAIN_DONE;

	for (; i < 3 && result == COUNTS_OK; i++) {
		result = count(conf, call, by[i], conf->only_look || i == 0, k, &a);
		r = judge(conf, call, by[i], result, &a);
	}
	return r;
}

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	const char *user = facts_get(&call->facts, "SMTPAUTHUSER"), *label = facts_get(&call->facts, "SMTPAUTHLABEL");
	struct account whole = { .is_peer = false }, password = { .is_peer = false };
	char octets[24], net[IPADDR_TEXT + 4];
	int64_t k, exempt;
	int r;

	if (user && !*user)
		user = NULL;
	whole.who = user ? user : peer(facts_get(&call->facts, "TCPREMOTEIP"), net);
	whole.is_peer = !user;
	password.who = password.name;
	if (conf->path && table_changed(&conf->table.table)) /* the new table counts now, if our user can read it */
		reload_table(conf, &call->log);
	r = count_recipients(conf, call, &k, &exempt);
	if (r == CHAIN_DONE)
		r = learn_rates(conf, call, user, NULL, &whole.rates);
	if (r == CHAIN_DONE && user && label) {
		snprintf(password.name, sizeof password.name, "%s/%s", user, label);
		r = learn_rates(conf, call, user, label, &password.rates);
	}
	if (r == CHAIN_DONE && (k > 0 || exempt == 0)) /* what is for the postmaster alone passes any limit */
		r = charge(conf, call, &whole, &password, k);
	if (r != CHAIN_DONE)
		return r;
	snprintf(octets, sizeof octets, "%lld", (long long)k);
	log_event(&call->log, "done", "who", password.rates.n > 0 ? password.who : whole.who, "rcpts", octets, (char *)NULL);
	return call_next(call);
}

/* Print the counts of a user, or of a peer behind "=". Returns QUERY_YES or QUERY_NO, or another exit code. */
static int
print_counts(struct conf *conf, const char *name)
{
	bool is_peer = *name == '=';
	size_t n = strlen(name), user = is_peer ? n : username_before_label(name, n);
	const char *who = is_peer ? name + 1 : name, *label = user < n ? name + user + 1 : NULL;
	char *before_label = strndup(name, user);
	enum counts_result result;
	struct shared_answer a;
	struct rates rates;
	int64_t end_ms = clock_ms() + CHAIN_DEADLINE_MAX_S * INT64_C(1000);
	size_t i;

	if (!before_label || find_rates(conf, is_peer ? NULL : before_label, label, &rates) < 0) {
		fprintf(stderr, "limit: %s: %s\n", conf->path, *conf->table.why ? conf->table.why : table_why(errno));
		free(before_label);
		return CHAIN_LATER;
	}
	free(before_label);
	result = look(conf, end_ms, who, is_peer, &rates, 1, &a);
	if (result == COUNTS_ERROR) {
		fprintf(stderr, "limit: %s: %s\n", conf->place, a.why);
		return CHAIN_LATER;
	}
	if (rates.n == 0 && (conf->rates.n > 0 || conf->path))
		printf("%s: no limit\n", name);
	else if (a.state.n == 0)
		printf("%s: nothing counted\n", name);
	for (i = 0; i < rates.n; i++)
		printf("%s: %lld of %lld recipients used in %lld s\n", name, (long long)(a.state.line[i].had + 999) / 1000,
		    (long long)rates.rate[i].n, (long long)rates.rate[i].seconds);
	for (; i < a.state.n; i++)
		printf("%s: %lld recipients in %lld s, %lld s ago; no rate has these seconds\n", name,
		    (long long)(a.state.line[i].had + 999) / 1000, (long long)a.state.line[i].seconds,
		    (long long)(a.now_ms - a.state.line[i].since_ms) / 1000);
	if (result == COUNTS_NEVER)
		printf("%s: may not send: 0 recipients in %lld s\n", name, (long long)a.which->seconds);
	if (result == COUNTS_OVER)
		printf("%s: may send to another recipient in %lld s\n", name, (long long)a.wait_s);
	return result == COUNTS_OK ? QUERY_YES : QUERY_NO;
}

static int
is_counted(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

/* Print the counts of everybody who has any, in the order of the file names. Returns the exit code. */
static int
print_all(struct conf *conf)
{
	struct dirent **file;
	int i, n = scandir(conf->place, &file, is_counted, alphasort), code = n < 0 ? CHAIN_LATER : CHAIN_DONE;

	if (n < 0)
		fprintf(stderr, "limit: %s: %s\n", conf->place, strerror(errno));
	for (i = 0; i < n; i++) {
		struct buf who = { 0 };
		int r = counts_who(&who, file[i]->d_name);

		if (r == 1)
			printf("%s: a longer name, of which this is the file\n", file[i]->d_name);
		else if (r < 0 || print_counts(conf, who.p) > QUERY_NO)
			code = CHAIN_LATER;
		buf_free(&who);
		free(file[i]);
	}
	if (n >= 0)
		free(file);
	return code;
}

/* -q: [user]. Returns the exit code. */
static int
query(const struct instance *i)
{
	return i->nwords > 0 ? print_counts(i->conf, i->words[0]) : print_all(i->conf);
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	if (conf->directory >= 0)
		close(conf->directory);
	shared_free(&conf->shared);
	usertable_close(&conf->table);
}

static void
init(void *arg)
{
	*(struct conf *)arg = (struct conf){ .directory = -1, .shared.wait_s = SHARED_WAIT_S };
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	const char *why;
	long long n;

	switch (letter) {
	case 'a':
		conf->login_path = value;
		return 0;
	case 'm':
		why = postmaster_add(&conf->postmaster, value);
		return why ? stage_wrong(i, value, "%s", why) : 0;
	case 'p':
		conf->pass = true;
		return 0;
	case 'w':
		if (stage_number(i, letter, value, 1, CHAIN_DEADLINE_MAX_S, &n) < 0)
			return -1;
		conf->shared.wait_s = (int)n;
		return 0;
	case 'q':
		i->instead = query;
		conf->place = value;
		return 0;
	case 'd':
		conf->place = value;
		return 0;
	case 'n':
		conf->only_look = true;
		return 0;
	case 'r':
		return rates_add(&conf->rates, value, strlen(value)) < 0 ? stage_wrong(i, value, RATES_ITEM) : 0;
	default:
		conf->path = value;
		return 0;
	}
}

/* Open the place of the counts. Returns as check. */
static int
open_place(struct conf *conf, struct instance *i)
{
	size_t prefix = strlen(shared_prefix);
	const char *why;

	if (strncmp(conf->place, shared_prefix, prefix) != 0) {
		if (conf->login_path || conf->pass)
			return stage_wrong(i, conf->pass ? "-p" : "-a", "only for counts that are shared");
		conf->directory = file_open_directory(conf->place, false, &why);
		return conf->directory < 0 ? stage_wrong(i, conf->place, "%s", why) : 0;
	}
	if (contact_set(&conf->shared.server, conf->place + prefix) < 0)
		return stage_wrong(i, conf->place, "neither redis:host:port nor redis: and the path of a socket");
	if (conf->login_path && shared_login(&conf->shared, conf->login_path, &why) < 0)
		return stage_wrong(i, conf->login_path, "%s", why);
	if (i->instead && i->nwords == 0)
		return stage_wrong(i, conf->place, "of counts that are shared, one user's can be printed");
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (!conf->place || (i->instead ? i->nwords > 1 || conf->only_look : conf->rates.n == 0 && !conf->path))
		return -1;
	if (open_place(conf, i) < 0)
		return -1;
	conf->table = (struct usertable){ .bad = rates_bad, .what = RATES_ITEM, .labels = true };
	if (conf->path && usertable_open(&conf->table, conf->path, i->options.path) < 0)
		return stage_wrong(i, conf->path, "%s", conf->table.why);
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	if (is_shared(conf))
		contact_claim(&conf->shared.server, c);
	else
		stage_writes(c, conf->place);
	if (conf->path)
		stage_reads(c, conf->path);
}

static int
prepare(void *arg)
{
	struct conf *conf = arg;

	return is_shared(conf) ? contact_prepare(&conf->shared.server) : 0;
}

/* msa-check -n: does the server answer, with this password? */
static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	const struct rates rates = { .n = 1, .rate = { { 1, 1 } } };
	struct shared_answer a;

	if (i->asked->network && is_shared(conf) &&
	    shared_count(&conf->shared, clock_ms() + 10000, "-", true, &rates, 0, false, &a) == COUNTS_ERROR)
		stage_found(i, conf->place, "start the Redis server that listens there, or correct the address or the password",
		    "%s", a.why);
}

const struct stage limit_stage = {
	.name = "limit",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_FILES | STAGE_NETWORK, /* one of them, see claim */
	.options = "a:d:m:npq:r:t:w:",
	.usage = "-d directory|redis:address [-n] [-p] [-a password] [-m domain ...] [-r recipients/seconds ...] [-t table] "
	    "[-w seconds] "
	    STAGE_USAGE " prog [arg ...] | "
	    "-q directory|redis:address [-a password] [-r recipients/seconds ...] [-t table] [-w seconds] [user]",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.prepare = prepare,
	.serve = serve,
	.reload = reload,
	.release = release,
	.examine = examine,
};
