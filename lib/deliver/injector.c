/* ISC licence, see LICENSE. */
#include "deliver/injector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/user.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "chain/offerfile.h"
#include "deliver/delivery.h"
#include "smtp/ehlo.h"

enum {
	WAIT_S = 80, /* a delivery's share of CHAIN_ANSWER_S */
	KEEP_S = 10, /* short, because a server may allow few sessions at once */
	ASK_S = 300,      /* between two looks at what the next hop offers */
	ASK_WAIT_S = 20,  /* the most that such a look takes */
	HOP_WAIT_S = 10, /* for a next hop that msa-check asks */
	HOST_MAX = 256,
	FINGERPRINT = 7 + 64, /* "SHA256:" and hexadecimal digits */
};

static const uint32_t of_the_hop = CAP_STARTTLS | CAP_AUTH | CAP_LIMITS; /* keywords that concern only a connection */

void
injector_init(void *conf)
{
	*(struct injector *)conf = (struct injector){ .wait_s = WAIT_S, .keep_s = KEEP_S, .offers = -1,
		.client.credentials = -1 };
}

void
injector_release(void *conf)
{
	struct injector *in = conf;

	if (in->client.credentials >= 0)
		close(in->client.credentials);
	if (in->offers >= 0)
		close(in->offers);
	buf_free(&in->envelope);
	free(in->rcpt);
}

static int
add_recipient(struct injector *in, const char *address, struct instance *i)
{
	const char **grown = realloc(in->rcpt, (in->nrcpt + 1) * sizeof *grown);

	if (!grown)
		return stage_wrong(i, address, "out of memory");
	in->rcpt = grown;
	in->rcpt[in->nrcpt++] = address;
	return 0;
}

int
injector_keep(struct injector *in, int letter, const char *value, struct instance *i)
{
	long long n;

	if (stage_number(i, letter, value, 0, INJECTOR_SECONDS_MAX, &n) < 0)
		return -1;
	in->keep_s = (int)n;
	return 0;
}

int
injector_option(struct injector *in, int letter, char *value, struct instance *i)
{
	long long n;

	switch (letter) {
	case 'a':
		in->credentials = value;
		return 0;
	case 'c':
		in->client.cafile = value;
		return 0;
	case 'F':
		in->client.fingerprint = value;
		return 0;
	case 'f':
		in->sender = value;
		return 0;
	case 'h':
		in->client.name = value;
		return 0;
	case 'k':
		in->keywords = true;
		return 0;
	case 'n':
		in->client.check = true;
		return 0;
	case 'o':
		in->offers_path = value;
		return 0;
	case 'r':
		return add_recipient(in, value, i);
	default:
		if (stage_number(i, letter, value, 1, INJECTOR_SECONDS_MAX, &n) < 0)
			return -1;
		in->wait_s = (int)n;
		return 0;
	}
}

/* Returns true if a process in a sandbox cannot do it: tlsc, saslc, and the resolver, which may do anything. */
static bool
needs_starter(const struct injector *in)
{
	bool names = false;
	size_t i;

	for (i = 0; i < in->nhops; i++)
		names |= !in->hop[i].is_unix && !nexthop_is_numeric(&in->hop[i]);
	return names || in->client.tls != CLIENT_CLEAR || in->credentials;
}

void
injector_claim(const void *conf, struct claims *c)
{
	const struct injector *in = conf;
	size_t i;

	for (i = 0; !needs_starter(in) && i < in->nhops; i++)
		stage_connects(c, nexthop_port(&in->hop[i]));
}

int
injector_prepare(void *conf)
{
	struct injector *in = conf;

	if (!needs_starter(in))
		return 0;
	if (starter_open(&in->starter, &in->client, in->hop, in->nhops) < 0)
		return -1;
	in->client.starter = &in->starter;
	if (in->client.credentials >= 0)
		close(in->client.credentials);
	in->client.credentials = -1;
	return 0;
}

/* Put the descriptor fresh in the place of *fd. Returns 0, or -1 with the reason why there is none logged. */
static int
replace(int *fd, int fresh, const char *path, const char *why, const struct log *log)
{
	if (fresh < 0) {
		log_event(log, "failed", "file", path, "reason", why, (char *)NULL);
		return -1;
	}
	close(*fd);
	*fd = fresh;
	return 0;
}

/* After SIGHUP: the password may have changed, and the file of the offers may have been removed. */
int
injector_reload(void *conf, const struct log *log)
{
	struct injector *in = conf;
	const char *why = NULL;
	int failed = 0, fresh;

	if (in->credentials) {
		fresh = file_open_secret(in->credentials, &why);
		failed += replace(&in->client.credentials, fresh, in->credentials, why, log) < 0;
	}
	if (in->offers_path) {
		fresh = offerfile_open(in->offers_path, &why);
		failed += replace(&in->offers, fresh, in->offers_path, why, log) < 0;
	}
	return failed == 0 ? 0 : failed < !!in->credentials + !!in->offers_path ? 1 : -1;
}

void
injector_idle(void *conf)
{
	client_quit(&((struct injector *)conf)->session);
}

/* Keep for others what the server of the open session offers. */
static void
remember(const struct injector *in, const struct log *log)
{
	struct ehlo e = in->session.offer;
	int r = 0;

	e.caps &= ~of_the_hop;
	if (in->offers >= 0)
		r = offerfile_write(in->offers, &e);
	if (r < 0)
		log_error(log, "failed", "%s:", in->offers_path);
	else if (r > 0)
		log_event(log, "learned", "from", in->session.wire.to, "file", in->offers_path, (char *)NULL);
}

/* Returns true if sessions may still last to whose clients something else was offered. */
static bool
offers_are_new(const struct injector *in)
{
	return in->offers >= 0 && offerfile_is_new(in->offers, CHAIN_SESSION_S);
}

/*
 * Deliver over a new session with the first host that accepts one. If no host does, everybody gets the refusal of the
 * last host that refused temporarily, or else that of the first host.
 */
static void
deliver_anew(struct injector *in, struct delivery *d, const char *host)
{
	struct reply_foreign refusal = { 0 }, worst = { 0 };
	size_t i;

	for (i = 0; i < in->nhops && delivery_is_wanted(d); i++) {
		const int64_t until = clock_ms() + clock_left(d->deadline_ms) / (int)(in->nhops - i);

		if (client_open(&in->session, &in->client, &in->hop[i], host, until, &d->call->log, &refusal) < 0) {
			if (worst.code == 0 || refusal.code < 500) {
				reply_foreign_free(&worst);
				worst = refusal;
				refusal = (struct reply_foreign){ 0 };
			}
			reply_foreign_free(&refusal);
			continue;
		}
		remember(in, &d->call->log);
		in->session.offer_is_new = offers_are_new(in);
		if (client_deliver(&in->session, d, i + 1 < in->nhops) == CLIENT_ANSWERED)
			break;
		else
			log_event(&d->call->log, "failed", "to", in->hop[i].text, "at", "MAIL", "reason", "closes the session",
			    (char *)NULL);
	}
	if (i == in->nhops && worst.code)
		delivery_answer_all(d, &worst);
	delivery_reply_all(d, i < in->nhops ? REPLY_LATE : REPLY_NEXT_HOP, NULL); /* the lines without a reply */
	reply_foreign_free(&worst);
}

/* Deliver over the kept session if there is one and its EHLO named the same host, else over a new session. */
static void
deliver(struct injector *in, struct delivery *d)
{
	struct client *s = &in->session;
	char room[HOST_MAX];
	const char *host = offer_host(&d->call->facts, room, sizeof room);

	if (client_is_open(s) && strcmp(s->host, host) != 0)
		client_quit(s);
	if (client_is_open(s))
		s->offer_is_new = offers_are_new(in);
	if (!client_is_open(s) || client_deliver(s, d, false) == CLIENT_GONE)
		deliver_anew(in, d, host);
}

int
injector_serve(struct call *call, void *conf)
{
	struct injector *in = conf;
	struct delivery d;
	int result;

	if (delivery_open(&d, call, in->envelope.len ? &in->envelope : NULL, in->wait_s, &result) < 0)
		return result;
	if (in->client.check) { /* nothing is delivered, so each recipient has its own reply */
		d.partial = true;
		d.accepted = NULL;
	} else
		delivery_refuse_nothing(&d);
	if (!delivery_is_over(&d))
		deliver(in, &d);
	result = delivery_close(&d, in->session.wire.to ? in->session.wire.to : in->hop[0].text);
	if (call->may_exec || in->keep_s == 0) /* the client has its answer already */
		client_quit(&in->session);
	return result;
}

/* Open a session with the first host that accepts one, within wait_s. Returns 0, or -1 with the reason logged. */
static int
open_any(struct injector *in, const struct client_conf *conf, const char *host, int wait_s, const struct log *log)
{
	const int64_t deadline_ms = clock_ms() + (int64_t)wait_s * 1000;
	struct reply_foreign refusal = { 0 };
	struct client *s = &in->session;
	size_t i;

	for (i = 0; i < in->nhops && !client_is_open(s); i++) {
		const int64_t until = clock_ms() + clock_left(deadline_ms) / (int)(in->nhops - i);

		client_open(s, conf, &in->hop[i], host, until, log, &refusal);
		reply_foreign_free(&refusal);
	}
	return client_is_open(s) ? 0 : -1;
}

/* The errand of a resident with -o: learn what the next hop offers. That needs no AUTH. Returns a chain_exit code. */
static int
ask(const struct instance *instance, const struct log *log)
{
	struct injector *in = instance->conf;
	struct client_conf conf = in->client;
	struct facts facts = { 0 };
	char room[HOST_MAX];
	int result = CHAIN_LATER;

	conf.auth = false;
	if (facts_from_environ(&facts) == 0 && open_any(in, &conf, offer_host(&facts, room, sizeof room),
	        in->wait_s < ASK_WAIT_S ? in->wait_s : ASK_WAIT_S, log) == 0) {
		remember(in, log);
		client_quit(&in->session);
		result = CHAIN_DONE;
	}
	facts_free(&facts);
	return result;
}

/* -k: print the keywords that the server offers, in the form of MSA_EHLO. */
static int
print_keywords(const struct instance *instance)
{
	struct injector *in = instance->conf;
	const char *user = instance->options.user;
	struct log log = { .stage = instance->stage->name };
	struct facts facts = { 0 };
	struct buf out = { 0 };
	char room[HOST_MAX];
	int result = CHAIN_LATER;

	if (user && user_become(user) < 0) {
		perror(user);
		return result;
	}
	if (facts_from_environ(&facts) < 0)
		return result;
	if (open_any(in, &in->client, offer_host(&facts, room, sizeof room), in->wait_s, &log) == 0) {
		remember(in, &log);
		in->session.offer.caps &= ~of_the_hop;
		client_quit(&in->session);
		if (ehlo_keywords(&out, &in->session.offer) == 0 && fwrite(out.p, 1, out.len, stdout) == out.len &&
		    fflush(stdout) == 0)
			result = CHAIN_DONE;
	}
	buf_free(&out);
	facts_free(&facts);
	return result;
}

int
injector_check(struct injector *in, struct instance *i, const char *port)
{
	const struct client_conf *c = &in->client;
	const char *why;

	if (i->nwords < 1 || i->nwords > INJECTOR_HOPS_MAX || !in->sender != (in->nrcpt == 0))
		return -1;
	for (; in->nhops < (size_t)i->nwords; in->nhops++)
		if (nexthop_parse(&in->hop[in->nhops], i->words[in->nhops], port) < 0)
			return stage_wrong(i, i->words[in->nhops], "neither host%s nor the path of a socket",
			    port ? "[:port]" : ":port");
	if (c->fingerprint && (strncasecmp(c->fingerprint, "SHA256:", 7) != 0 || strlen(c->fingerprint) != FINGERPRINT ||
	        strspn(c->fingerprint + 7, "0123456789abcdefABCDEF") != FINGERPRINT - 7))
		return stage_wrong(i, c->fingerprint, "not SHA256: and 64 hexadecimal digits");
	if (c->tls == CLIENT_CLEAR && (in->credentials || c->cafile || c->fingerprint || c->name))
		return stage_wrong(i, in->credentials ? "-a" : c->cafile ? "-c" : c->fingerprint ? "-F" : "-h", "only with TLS");
	if (in->credentials) {
		in->client.auth = true;
		in->client.credentials = file_open_secret(in->credentials, &why);
		if (in->client.credentials < 0)
			return stage_wrong(i, in->credentials, "%s", why);
	}
	if (in->sender && delivery_envelope(&in->envelope, in->sender, "", in->rcpt, in->nrcpt, "", &why) < 0)
		return stage_wrong(i, why ? why : in->sender, "%s", why ? "not an address" : "out of memory");
	if (in->offers_path && !i->asked) {
		in->offers = offerfile_open(in->offers_path, &why);
		if (in->offers < 0)
			return stage_wrong(i, in->offers_path, "%s", why);
		in->client.learns = true;
		i->errand = ask;
		i->errand_s = ASK_S;
	}
	i->idle_s = in->keep_s;
	i->instead = in->keywords ? print_keywords : NULL;
	return 0;
}

/*
 * Open a session with a next hop as a delivery would, and quit. Returns true if it answers; otherwise line is what a
 * delivery would log, after "failed".
 */
static bool
answers(struct injector *in, struct nexthop *hop, const char *name, char *line, size_t cap)
{
	const struct log log = { .stage = name };
	struct reply_foreign refusal = { 0 };
	struct facts none = { .n = 0 };
	char room[HOST_MAX], *at;
	int own = dup(STDERR_FILENO), p[2];
	bool open = false;
	ssize_t n;

	*line = '\0';
	if (own < 0 || pipe(p) < 0)
		return false;
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	dup2(p[1], STDERR_FILENO); /* where the log goes: what it says is our finding */
	if (facts_from_environ(&none) == 0)
		open = client_open(&in->session, &in->client, hop, offer_host(&none, room, sizeof room),
		           clock_ms() + HOP_WAIT_S * 1000, &log, &refusal) == 0;
	client_quit(&in->session);
	dup2(own, STDERR_FILENO);
	n = read(p[0], line, cap - 1);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	at = strstr(line, " at=");
	if (at)
		memmove(line, at + 1, strlen(at + 1) + 1);
	close(own);
	close(p[0]);
	close(p[1]);
	reply_foreign_free(&refusal);
	facts_free(&none);
	return open;
}

void
injector_examine(const void *conf, struct instance *i)
{
	struct injector *in = (struct injector *)conf; /* a session with a next hop is part of it */
	char line[1024];
	size_t n;

	if (in->client.check)
		finding_fact("checks", "");
	if (in->client.cafile && faccessat(AT_FDCWD, in->client.cafile, R_OK, AT_EACCESS) < 0)
		stage_found(i, in->client.cafile, NULL, "%s", strerror(errno));
	for (n = 0; i->asked->network && n < in->nhops; n++)
		if (!answers(in, &in->hop[n], i->stage->name, line, sizeof line))
			stage_found(i, in->hop[n].text, "start that server, or correct its address", "does not answer %s: %s",
			    in->client.lmtp ? "LHLO" : "EHLO", line);
}
