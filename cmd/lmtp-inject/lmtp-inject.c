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
	HOST_MAX = 256,
};

struct conf {
	struct lmtp_address address;
	struct buf envelope; /* by hand; empty: in a chain */
	int wait_s;
};

static int
usage(void)
{
	struct call call = { .out = CHAIN_FD_OUT };

	fputs("usage: lmtp-inject [-k] [-f sender] [-r recipient] [-t seconds] [-U user] address\n", stderr);
	if (!getenv("MSA_MESSAGE"))
		return CHAIN_MISUSE;
	return stage_verdict(&call, REPLY_LOCAL_ERROR, NULL); /* our mistakes refuse no mail for good */
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct reply_foreign refusal = { 0 };
	struct lmtp session = { 0 };
	struct delivery d;
	char host[HOST_MAX];
	int result;

	if (delivery_open(&d, call, conf->envelope.len ? &conf->envelope : NULL, conf->wait_s, &result) < 0)
		return result;
	if (!delivery_is_over(&d) && !delivery_is_wanted(&d))
		delivery_reply_all(&d, REPLY_LATE, NULL);
	if (!delivery_is_over(&d)) {
		if (lmtp_open(&session, &conf->address, ehlo_host(&call->facts, host, sizeof host), d.deadline_ms, &call->log,
		        &refusal) < 0)
			delivery_answer_all(&d, &refusal);
		else
			lmtp_deliver(&session, &d);
		lmtp_quit(&session);
	}
	reply_foreign_free(&refusal);
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

/* Seconds, from 1 to WAIT_MAX_S; 0: s is something else. */
static int
seconds(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	return *s < '0' || *s > '9' || *end || n > WAIT_MAX_S ? 0 : (int)n;
}

int
main(int argc, char *argv[])
{
	const struct stage stage = {
		.name = "lmtp-inject", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve
	};
	struct conf conf = { .wait_s = WAIT_S };
	char **rcpt = calloc((size_t)argc, sizeof *rcpt);
	const char *user = NULL, *sender = NULL, *bad = NULL;
	bool keywords = false;
	size_t n = 0;
	int c, result;

	while (rcpt && (c = getopt(argc, argv, "+f:kr:t:U:")) != -1)
		switch (c) {
		case 'f':
			sender = optarg;
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
		case 'U':
			user = optarg;
			break;
		default:
			free(rcpt);
			return usage();
		}
	if (!rcpt || optind + 1 != argc || conf.wait_s == 0 || !sender != (n == 0))
		result = usage();
	else if (lmtp_address(&conf.address, argv[optind]) < 0) {
		fprintf(stderr, "lmtp-inject: %s: neither host:port nor the path of a socket\n", argv[optind]);
		result = usage();
	} else if (sender && delivery_envelope(&conf.envelope, sender, rcpt, n, &bad) < 0) {
		fprintf(stderr, "lmtp-inject: %s%s\n", bad ? "not an address: " : "out of memory", bad ? bad : "");
		result = usage();
	} else if (!keywords)
		result = stage_run(&stage, &conf, user);
	else if (user && stage_drop(user) < 0) {
		perror(user);
		result = CHAIN_LATER;
	} else
		result = print_keywords(&conf);
	buf_free(&conf.envelope);
	free(rcpt);
	return result;
}
