/* ISC licence, see LICENSE. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain/limits.h"
#include "deliver/delivery.h"
#include "deliver/maildir.h"
#include "stage/stages.h"

enum { WAIT_S = 80 }; /* the share of CHAIN_ANSWER_S that is ours */

struct conf {
	const char *directory;
	bool check; /* only ask */
	struct buf envelope; /* by hand; empty: in a chain */
};

static int
usage(void)
{
	return stage_misuse("usage: maildir-inject [-n] [-f sender] [-r recipient] " STAGE_USAGE " directory");
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct delivery d;
	int dir, result;

	if (delivery_open(&d, call, conf->envelope.len ? &conf->envelope : NULL, WAIT_S, &result) < 0)
		return result;
	d.partial |= conf->check;
	if (conf->check)
		maildir_check(&d);
	else if (!delivery_is_over(&d)) {
		dir = open(conf->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0) {
			log_error(&call->log, "failed", "%s:", conf->directory);
			delivery_reply_all(&d, REPLY_LOCAL_ERROR, NULL);
		} else {
			maildir_deliver(&d, dir);
			close(dir);
		}
	}
	return delivery_close(&d, conf->directory);
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	buf_free(&conf->envelope);
	free(conf);
}

/* The envelope by hand. 0, or -1: it is none, which standard error was told. */
static int
take_envelope(struct conf *conf, const char *sender, char *const rcpt[], size_t n)
{
	const char *bad;

	if (!sender != (n == 0))
		return -1;
	if (!sender || delivery_envelope(&conf->envelope, sender, rcpt, n, &bad) == 0)
		return 0;
	fprintf(stderr, "maildir-inject: %s%s\n", bad ? "not an address: " : "out of memory", bad ? bad : "");
	return -1;
}

int
maildir_inject_ready(struct ready *r, int argc, char *argv[])
{
	struct conf *conf = ready_conf(r, sizeof *conf);
	char **rcpt = calloc((size_t)argc, sizeof *rcpt);
	const char *sender = NULL;
	bool bad = !conf || !rcpt;
	size_t n = 0;
	int c;

	r->stage = (struct stage){ .name = "maildir-inject", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve };
	r->release = conf ? release : NULL;
	while (!bad && (c = getopt(argc, argv, "+f:nr:" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'f':
			sender = optarg;
			break;
		case 'n':
			conf->check = true;
			break;
		case 'r':
			rcpt[n++] = optarg;
			break;
		default:
			bad = c == '?' || stage_option(&r->options, "maildir-inject", c, optarg) < 0;
		}
	bad = bad || optind + 1 != argc || take_envelope(conf, sender, rcpt, n) < 0;
	free(rcpt);
	if (bad)
		return usage();
	conf->directory = argv[optind];
	return 0;
}
