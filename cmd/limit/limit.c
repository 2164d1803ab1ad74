/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/usertable.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "counts.h"
#include "net/ipaddr.h"
#include "stage/instance.h"

#define NO_RATE "not a valid rate (recipients/seconds), a second rate for the same seconds, or more than 8 rates"

struct conf {
	struct rates rates; /* for users without a record in the table */
	const char *directory_path, *path; /* path NULL: no table */
	int directory;
	struct usertable table;
};

/* Count the recipients that are still to be served. Returns CHAIN_DONE, or the exit code of the verdict. */
static int
count_recipients(struct call *call, int64_t *k)
{
	const struct envelope *e = call_envelope(call);
	size_t i;

	*k = 0;
	if (!e)
		return call_failed(call, NULL);
	for (i = 0; i < e->nrcpt; i++)
		*k += e->rcpt[i].kind == ENVELOPE_RCPT;
	return CHAIN_DONE;
}

/* Parse the rates of a list. Returns NULL, or the first invalid item, of *len octets. */
static const char *
read_rates(struct rates *rates, const char *list, size_t n, size_t *len)
{
	const char *item, *p = list;

	*rates = (struct rates){ .n = 0 };
	while ((item = usertable_item(&p, list + n, len)))
		if (rates_add(rates, item, *len) < 0)
			return item;
	return NULL;
}

static const char *
bad_rate(const char *list, size_t n, size_t *len)
{
	struct rates rates;

	return read_rates(&rates, list, n, len);
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

/* SIGHUP: open the table and the directory anew. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	const char *why;
	int directory = file_open_directory(conf->directory_path, false, &why);

	if (directory < 0)
		log_error(log, "failed", "%s: %s", conf->directory_path, why);
	else {
		close(conf->directory);
		conf->directory = directory;
	}
	if (conf->path && reload_table(conf, log) < 0)
		return directory < 0 ? -1 : 1;
	return directory < 0 ? -1 : 0;
}

/* Find the rates of user: those of the user's record, or else those of the options. Returns as count_recipients. */
static int
find_rates(struct conf *conf, struct call *call, const char *user, struct rates *rates)
{
	const char *value, *bad;
	size_t len = 0;
	int found = 0;

	*rates = conf->rates;
	if (conf->path && table_changed(&conf->table.table)) /* the new table counts now, if our user can read it */
		reload_table(conf, &call->log);
	if (conf->path && (found = usertable_get(&conf->table, user, &value, &len)) < 0)
		return call_failed(call, conf->path);
	bad = found ? read_rates(rates, value, len, &len) : NULL;
	if (!bad)
		return CHAIN_DONE;
	usertable_blame(&conf->table, user, bad, len);
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

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	const char *user = facts_get(&call->facts, "SMTPAUTHUSER"), *who;
	const struct rate *which = NULL;
	struct rates rates;
	struct timespec now;
	int64_t k, now_ms, wait_s = 0;
	char why[120], octets[24], net[IPADDR_TEXT + 4];
	int r;

	if (user && !*user)
		user = NULL;
	who = user ? user : peer(facts_get(&call->facts, "TCPREMOTEIP"), net);
	r = count_recipients(call, &k);
	if (r == CHAIN_DONE)
		r = find_rates(conf, call, user, &rates);
	if (r != CHAIN_DONE)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	switch (rates.n == 0 ? COUNTS_OK : counts_add(conf->directory, who, !user, &rates, k, now_ms, &which, &wait_s)) {
	case COUNTS_OK:
		break;
	case COUNTS_OVER:
		snprintf(why, sizeof why, "Over %lld recipients in %lld s, try again in %lld s", (long long)which->n,
		    (long long)which->seconds, (long long)wait_s);
		return refuse(call, who, REPLY_OVER_LIMIT, why);
	case COUNTS_NEVER:
		snprintf(why, sizeof why, "More recipients than the %lld in %lld s that you may send to", (long long)which->n,
		    (long long)which->seconds);
		return refuse(call, who, REPLY_NO_RIGHT, why);
	case COUNTS_ERROR:
		return call_failed(call, conf->directory_path);
	}
	snprintf(octets, sizeof octets, "%lld", (long long)k);
	log_event(&call->log, "done", "who", who, "rcpts", octets, (char *)NULL);
	return call_next(call);
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	if (conf->directory >= 0)
		close(conf->directory);
	usertable_close(&conf->table);
}

static void
init(void *arg)
{
	((struct conf *)arg)->directory = -1;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	switch (letter) {
	case 'd':
		conf->directory_path = value;
		return 0;
	case 'r':
		return rates_add(&conf->rates, value, strlen(value)) < 0 ? stage_wrong(i, value, NO_RATE) : 0;
	default:
		conf->path = value;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	const char *why;

	if (!conf->directory_path || (conf->rates.n == 0 && !conf->path))
		return -1;
	conf->directory = file_open_directory(conf->directory_path, false, &why);
	if (conf->directory < 0)
		return stage_wrong(i, conf->directory_path, "%s", why);
	conf->table = (struct usertable){ .bad = bad_rate, .what = NO_RATE };
	if (conf->path && usertable_open(&conf->table, conf->path, i->options.path) < 0)
		return stage_wrong(i, conf->path, "%s", conf->table.why);
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	stage_writes(c, conf->directory_path);
	if (conf->path)
		stage_reads(c, conf->path);
}

const struct stage limit_stage = {
	.name = "limit",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_FILES,
	.options = "d:r:t:",
	.usage = "-d directory [-r recipients/seconds ...] [-t table] " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.release = release,
};
