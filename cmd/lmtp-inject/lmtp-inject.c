/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "delivery.h"
#include "ehlo.h"
#include "lmtp.h"
#include "stage.h"

enum {
	WAIT_S = 80, /* the share of CHAIN_ANSWER_S that is ours */
	WAIT_MAX_S = 86400,
	KEEP_S = 10, /* a session that is not used for so long is ended: a server may have few of them to give */
	HOST_MAX = 256,
};

struct conf {
	struct lmtp_address address;
	struct buf envelope; /* by hand; empty: in a chain */
	int wait_s;
	int keep_s;
	struct lmtp session; /* resident: kept for the worker's next message; each worker is a process with its own conf */
};

static int
usage(void)
{
	return stage_misuse("usage: lmtp-inject [-k] [-f sender] [-i seconds] [-r recipient] [-t seconds] " STAGE_USAGE
	    " address");
}

static void
idle(void *arg)
{
	struct conf *conf = arg;

	lmtp_quit(&conf->session);
}

/* Over the session that was kept, where there is one, and speaks for the same host; else over a new one. */
static void
deliver(struct conf *conf, struct delivery *d)
{
	struct lmtp *s = &conf->session;
	struct reply_foreign refusal = { 0 };
	char room[HOST_MAX];
	const char *host = ehlo_host(&d->call->facts, room, sizeof room);

	if (s->open && strcmp(s->host, host) != 0)
		lmtp_quit(s);
	if (s->open && lmtp_deliver(s, d) == 0)
		return;
	if (!delivery_is_wanted(d))
		delivery_reply_all(d, REPLY_LATE, NULL);
	else if (lmtp_open(s, &conf->address, host, d->deadline_ms, &d->call->log, &refusal) < 0)
		delivery_answer_all(d, &refusal);
	else
		lmtp_deliver(s, d);
	reply_foreign_free(&refusal);
}

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	struct delivery d;
	int result;

	if (delivery_open(&d, call, conf->envelope.len ? &conf->envelope : NULL, conf->wait_s, &result) < 0)
		return result;
	if (!delivery_is_over(&d))
		deliver(conf, &d);
	if (!call->resident || conf->keep_s == 0)
		lmtp_quit(&conf->session);
	return delivery_close(&d, conf->address.text);
}

/* -k: print what the server offers, as MSA_EHLO takes it. */
static int
print_keywords(const struct conf *conf)
{
	const uint32_t of_the_hop = CAP_STARTTLS | CAP_AUTH | CAP_LIMITS; /* between it and us alone */
	struct log log = { .stage = "lmtp-inject" };
	struct reply_foreign refusal = { 0 };
	struct lmtp session = { 0 };
	struct facts facts = { 0 };
	struct buf out = { 0 };
	char host[HOST_MAX];
	int result = CHAIN_LATER;

	if (facts_from_environ(&facts) == 0 &&
	    lmtp_open(&session, &conf->address, ehlo_host(&facts, host, sizeof host),
	        clock_ms() + (int64_t)conf->wait_s * 1000, &log, &refusal) == 0) {
		session.offer.caps &= ~of_the_hop;
		lmtp_quit(&session);
		if (ehlo_keywords(&out, &session.offer) == 0 && fwrite(out.p, 1, out.len, stdout) == out.len &&
		    fflush(stdout) == 0)
			result = CHAIN_DONE;
	}
	buf_free(&out);
	reply_foreign_free(&refusal);
	facts_free(&facts);
	return result;
}

/* Seconds, from 0 to WAIT_MAX_S; -1: s is something else. */
static int
seconds(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	return *s < '0' || *s > '9' || *end || n > WAIT_MAX_S ? -1 : (int)n;
}

int
main(int argc, char *argv[])
{
	struct stage stage = {
		.name = "lmtp-inject", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve, .idle = idle
	};
	struct conf conf = { .wait_s = WAIT_S, .keep_s = KEEP_S };
	char **rcpt = calloc((size_t)argc, sizeof *rcpt);
	struct stage_options options;
	const char *sender = NULL, *bad = NULL;
	bool keywords = false;
	size_t n = 0;
	int c, result;

	stage_options(&options);
	while (rcpt && (c = getopt(argc, argv, "+f:i:kr:t:" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'f':
			sender = optarg;
			break;
		case 'i':
			conf.keep_s = seconds(optarg);
			break;
		case 'k':
			keywords = true;
			break;
		case 'r':
			rcpt[n++] = optarg;
			break;
		case 't':
			conf.wait_s = seconds(optarg);
			break;
		default:
			if (c != '?' && stage_option(&options, "lmtp-inject", c, optarg) == 0)
				break;
			free(rcpt);
			return usage();
		}
	stage.idle_s = conf.keep_s;
	if (!rcpt || optind + 1 != argc || conf.wait_s < 1 || conf.keep_s < 0 || !sender != (n == 0))
		result = usage();
	else if (lmtp_address(&conf.address, argv[optind]) < 0) {
		fprintf(stderr, "lmtp-inject: %s: neither host:port nor the path of a socket\n", argv[optind]);
		result = usage();
	} else if (sender && delivery_envelope(&conf.envelope, sender, rcpt, n, &bad) < 0) {
		fprintf(stderr, "lmtp-inject: %s%s\n", bad ? "not an address: " : "out of memory", bad ? bad : "");
		result = usage();
	} else if (!keywords)
		result = stage_run(&stage, &conf, &options);
	else if (options.user && stage_drop(options.user) < 0) {
		perror(options.user);
		result = CHAIN_LATER;
	} else
		result = print_keywords(&conf);
	buf_free(&conf.envelope);
	free(rcpt);
	return result;
}
