/* ISC licence, see LICENSE. */
#include <stdbool.h>
#include <unistd.h>

#include "chain/limits.h"
#include "deliver/injector.h"
#include "stage/stages.h"

static int
usage(void)
{
	return stage_misuse("usage: lmtp-inject [-knsS] " INJECTOR_USAGE "[-i seconds] [-r recipient] [-t seconds] "
	                    STAGE_USAGE " address");
}

int
lmtp_inject_ready(struct ready *r, int argc, char *argv[])
{
	struct injector *in = injector_open(r, "lmtp-inject", argc);
	int c, bad = 0;

	if (!in)
		return CHAIN_LATER;
	in->client.lmtp = true;
	while (!bad && (c = getopt(argc, argv, "+i:sS" INJECTOR_OPTIONS STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'i':
			in->keep_s = injector_seconds(optarg);
			break;
		case 's':
			in->client.tls = CLIENT_STARTTLS;
			break;
		case 'S':
			in->client.tls = CLIENT_IMPLICIT;
			break;
		default:
			bad = c == '?' || (injector_option(in, c, optarg) < 0 && stage_option(&r->options, in->name, c, optarg) < 0);
		}
	if (bad || argc - optind != 1 || injector_check(r, argv + optind, 1, NULL) < 0)
		return usage();
	return 0;
}
