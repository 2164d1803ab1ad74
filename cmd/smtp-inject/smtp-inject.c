/* ISC licence, see LICENSE. */
#include <stdbool.h>
#include <unistd.h>

#include "chain/limits.h"
#include "deliver/injector.h"
#include "stage/stages.h"

static int
usage(void)
{
	return stage_misuse("usage: smtp-inject [-ikmnp] " INJECTOR_USAGE "[-I seconds] [-r recipient] [-t seconds] "
	                    STAGE_USAGE " host ...");
}

int
smtp_inject_ready(struct ready *r, int argc, char *argv[])
{
	struct injector *in = injector_open(r, "smtp-inject", argc);
	int c, bad = 0, clear = 0;

	if (!in)
		return CHAIN_LATER;
	in->client.tls = CLIENT_STARTTLS;
	in->client.auth_param = CLIENT_AUTH_NULL;
	while (!bad && (c = getopt(argc, argv, "+I:imp" INJECTOR_OPTIONS STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'I':
			in->keep_s = injector_seconds(optarg);
			break;
		case 'i':
			in->client.tls = CLIENT_IMPLICIT;
			break;
		case 'm':
			in->client.auth_param = CLIENT_AUTH_USER;
			break;
		case 'p': /* twice: anywhere */
			clear++;
			break;
		default:
			bad = c == '?' || (injector_option(in, c, optarg) < 0 && stage_option(&r->options, in->name, c, optarg) < 0);
		}
	if (clear) {
		bad |= in->client.tls == CLIENT_IMPLICIT;
		in->client.tls = CLIENT_CLEAR;
		in->client.loopback = clear == 1;
	}
	if (bad || injector_check(r, argv + optind, (size_t)(argc - optind),
	               in->client.tls == CLIENT_IMPLICIT ? "465" : clear ? "25" : "587") < 0)
		return usage();
	return 0;
}
