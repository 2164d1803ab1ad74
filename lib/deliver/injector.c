/* ISC licence, see LICENSE. */
#include "deliver/injector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/limits.h"
#include "deliver/delivery.h"
#include "chain/offer.h"
#include "smtp/ehlo.h"

enum {
	WAIT_S = 80, /* the share of CHAIN_ANSWER_S that is ours */
	WAIT_MAX_S = 86400,
	KEEP_S = 10, /* a session that is not used for so long is ended: a server may have few of them to give */
	HOST_MAX = 256,
	FINGERPRINT = 7 + 64, /* "SHA256:" and hexadecimal digits */
};

static void
release(void *arg)
{
	struct injector *in = arg;

	if (in->client.credentials >= 0)
		close(in->client.credentials);
	buf_free(&in->envelope);
	free(in->rcpt);
	free(in);
}

struct injector *
injector_open(struct ready *r, const char *name, int argc)
{
	struct injector *in = ready_conf(r, sizeof *in);

	if (!in)
		return NULL;
	*in = (struct injector){ .name = name, .wait_s = WAIT_S, .keep_s = KEEP_S, .client.credentials = -1 };
	r->release = release;
	in->rcpt = calloc((size_t)argc, sizeof *in->rcpt);
	if (in->rcpt)
		return in;
	ready_release(r);
	return NULL;
}

int
injector_seconds(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	return *s < '0' || *s > '9' || *end || n > WAIT_MAX_S ? -1 : (int)n;
}

int
injector_option(struct injector *in, int letter, char *value)
{
	switch (letter) {
	case 'a':
		in->credentials = value;
		break;
	case 'c':
		in->client.cafile = value;
		break;
	case 'F':
		in->client.fingerprint = value;
		break;
	case 'f':
		in->sender = value;
		break;
	case 'h':
		in->client.name = value;
		break;
	case 'k':
		in->keywords = true;
		break;
	case 'n':
		in->client.check = true;
		break;
	case 'r':
		in->rcpt[in->nrcpt++] = value;
		break;
	case 't':
		in->wait_s = injector_seconds(value);
		break;
	default:
		return -1;
	}
	return 0;
}

/* The file with the password: a descriptor, or -1 with *why. Only its owner and group may read it. */
static int
open_credentials(const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	*why = NULL;
	if (fd >= 0 && fstat(fd, &st) == 0) {
		*why = !S_ISREG(st.st_mode) ? "not a regular file" : st.st_mode & 0007 ? "open to everybody" : NULL;
		if (!*why)
			return fd;
	}
	if (!*why)
		*why = strerror(errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
wrong(const struct injector *in, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", in->name, what, why);
	return -1;
}

/* SIGHUP: the password may be another one now. */
static int
reload(void *arg, const struct log *log)
{
	struct injector *in = arg;
	const char *why;
	int fd;

	if (!in->credentials)
		return 0;
	fd = open_credentials(in->credentials, &why);
	if (fd < 0) {
		log_event(log, "failed", "file", in->credentials, "reason", why, (char *)NULL);
		return -1;
	}
	close(in->client.credentials);
	in->client.credentials = fd;
	return 0;
}

static void
idle(void *arg)
{
	struct injector *in = arg;

	client_quit(&in->session);
}

/* To the first host that lets us in and takes a message. A refusal that may pass says more than one that will not. */
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
		} else if (client_deliver(&in->session, d, i + 1 < in->nhops) == 0)
			break;
		else
			log_event(&d->call->log, "failed", "to", in->hop[i].text, "at", "MAIL", "reason", "closes the session",
			    (char *)NULL);
	}
	if (i == in->nhops && worst.code)
		delivery_answer_all(d, &worst);
	delivery_reply_all(d, i < in->nhops ? REPLY_LATE : REPLY_NEXT_HOP, NULL); /* who has none yet */
	reply_foreign_free(&worst);
}

/* Over the session that was kept, where there is one, and speaks for the same host; else over a new one. */
static void
deliver(struct injector *in, struct delivery *d)
{
	struct client *s = &in->session;
	char room[HOST_MAX];
	const char *host = offer_host(&d->call->facts, room, sizeof room);

	if (s->open && strcmp(s->host, host) != 0)
		client_quit(s);
	if (!s->open || client_deliver(s, d, false) < 0)
		deliver_anew(in, d, host);
}

static int
serve(struct call *call, void *arg)
{
	struct injector *in = arg;
	struct delivery d;
	int result;

	if (delivery_open(&d, call, in->envelope.len ? &in->envelope : NULL, in->wait_s, &result) < 0)
		return result;
	d.partial |= in->client.check; /* nobody gets anything, so nothing is all or nothing */
	if (!delivery_is_over(&d))
		deliver(in, &d);
	result = delivery_close(&d, in->session.to ? in->session.to : in->hop[0].text);
	if (!call->resident || in->keep_s == 0) /* nobody waits for the answer to QUIT, and least of all the client */
		client_quit(&in->session);
	return result;
}

/* -k: print what the server offers, as MSA_EHLO takes it. */
static int
print_keywords(void *arg, const struct stage_options *options)
{
	struct injector *in = arg;
	const uint32_t of_the_hop = CAP_STARTTLS | CAP_AUTH | CAP_LIMITS; /* between it and us alone */
	const int64_t deadline_ms = clock_ms() + (int64_t)in->wait_s * 1000;
	struct log log = { .stage = in->name };
	struct reply_foreign refusal = { 0 };
	struct client *s = &in->session;
	struct facts facts = { 0 };
	struct buf out = { 0 };
	char room[HOST_MAX];
	const char *host;
	int result = CHAIN_LATER;
	size_t i;

	if (options->user && stage_drop(options->user) < 0) {
		perror(options->user);
		return result;
	}
	if (facts_from_environ(&facts) < 0)
		return result;
	host = offer_host(&facts, room, sizeof room);
	for (i = 0; i < in->nhops && !s->open; i++)
		client_open(s, &in->client, &in->hop[i], host, clock_ms() + clock_left(deadline_ms) / (int)(in->nhops - i),
		    &log, &refusal);
	if (s->open) {
		s->offer.caps &= ~of_the_hop;
		client_quit(s);
		if (ehlo_keywords(&out, &s->offer) == 0 && fwrite(out.p, 1, out.len, stdout) == out.len && fflush(stdout) == 0)
			result = CHAIN_DONE;
	}
	buf_free(&out);
	reply_foreign_free(&refusal);
	facts_free(&facts);
	return result;
}

int
injector_check(struct ready *r, char *const address[], size_t n, const char *port)
{
	struct injector *in = r->conf;
	const struct client_conf *c = &in->client;
	const char *why;

	if (n < 1 || n > INJECTOR_HOPS_MAX || in->wait_s < 1 || in->keep_s < 0 || !in->sender != (in->nrcpt == 0))
		return -1;
	for (; in->nhops < n; in->nhops++)
		if (nexthop_parse(&in->hop[in->nhops], address[in->nhops], port) < 0)
			return wrong(in, address[in->nhops],
			    port ? "neither host[:port] nor the path of a socket" : "neither host:port nor the path of a socket");
	if (c->fingerprint && (strncasecmp(c->fingerprint, "SHA256:", 7) != 0 || strlen(c->fingerprint) != FINGERPRINT ||
	        strspn(c->fingerprint + 7, "0123456789abcdefABCDEF") != FINGERPRINT - 7))
		return wrong(in, c->fingerprint, "not SHA256: and 64 hexadecimal digits");
	if (c->tls == CLIENT_CLEAR && (in->credentials || c->cafile || c->fingerprint || c->name))
		return wrong(in, in->credentials ? "-a" : c->cafile ? "-c" : c->fingerprint ? "-F" : "-h", "only with TLS");
	if (in->credentials) {
		in->client.credentials = open_credentials(in->credentials, &why);
		if (in->client.credentials < 0)
			return wrong(in, in->credentials, why);
	}
	if (in->sender && delivery_envelope(&in->envelope, in->sender, in->rcpt, in->nrcpt, &why) < 0)
		return why ? wrong(in, why, "not an address") : wrong(in, in->sender, "out of memory");
	r->stage = (struct stage){
		.name = in->name,
		.kind = STAGE_MESSAGE,
		.owner = FACTS_NOBODY,
		.serve = serve,
		.reload = reload,
		.idle = idle,
		.idle_s = in->keep_s,
	};
	r->instead = in->keywords ? print_keywords : NULL;
	return 0;
}
