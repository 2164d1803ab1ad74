/* ISC licence, see LICENSE. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"
#include "delivery.h"
#include "maildir.h"
#include "stage.h"

enum { WAIT_S = 80 }; /* the share of CHAIN_ANSWER_S that is ours */

struct conf {
	const char *directory;
	struct buf envelope; /* by hand; empty: in a chain */
};

static int
usage(void)
{
	struct call call = { .out = CHAIN_FD_OUT };

	fputs("usage: maildir-inject [-f sender] [-r recipient] [-U user] directory\n", stderr);
	if (!getenv("MSA_MESSAGE"))
		return CHAIN_MISUSE;
	return stage_verdict(&call, REPLY_LOCAL_ERROR, NULL); /* our mistakes refuse no mail for good */
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct delivery d;
	int dir, result;

	if (delivery_open(&d, call, conf->envelope.len ? &conf->envelope : NULL, WAIT_S, &result) < 0)
		return result;
	if (!delivery_is_over(&d)) {
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

int
main(int argc, char *argv[])
{
	const struct stage stage = {
		.name = "maildir-inject", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve
	};
	struct conf conf = { 0 };
	char **rcpt = calloc((size_t)argc, sizeof *rcpt);
	const char *user = NULL, *sender = NULL, *bad = NULL;
	size_t n = 0;
	int c, result;

	while (rcpt && (c = getopt(argc, argv, "+f:r:U:")) != -1)
		switch (c) {
		case 'f':
			sender = optarg;
			break;
		case 'r':
			rcpt[n++] = optarg;
			break;
		case 'U':
			user = optarg;
			break;
		default:
			free(rcpt);
			return usage();
		}
	if (!rcpt || optind + 1 != argc || !sender != (n == 0))
		result = usage();
	else if (sender && delivery_envelope(&conf.envelope, sender, rcpt, n, &bad) < 0) {
		fprintf(stderr, "maildir-inject: %s%s\n", bad ? "not an address: " : "out of memory", bad ? bad : "");
		result = usage();
	} else {
		conf.directory = argv[optind];
		result = stage_run(&stage, &conf, user);
	}
	buf_free(&conf.envelope);
	free(rcpt);
	return result;
}
