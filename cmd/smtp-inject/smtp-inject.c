/* ISC licence, see LICENSE. */
#include <stdbool.h>
#include <unistd.h>

#include "injector.h"
#include "stage.h"

static int
usage(struct injector *in)
{
	injector_close(in);
	return stage_misuse("usage: smtp-inject [-ikmnp] " INJECTOR_USAGE "[-I seconds] [-r recipient] [-t seconds] "
	                    STAGE_USAGE " host ...");
}

int
main(int argc, char *argv[])
{
	struct stage_options options;
	struct injector in;
	int c, bad = injector_open(&in, "smtp-inject", argc), clear = 0;

	in.client.tls = CLIENT_STARTTLS;
	in.client.auth_param = CLIENT_AUTH_NULL;
	stage_options(&options);
	while (!bad && (c = getopt(argc, argv, "+I:imp" INJECTOR_OPTIONS STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'I':
			in.keep_s = injector_seconds(optarg);
			break;
		case 'i':
			in.client.tls = CLIENT_IMPLICIT;
			break;
		case 'm':
			in.client.auth_param = CLIENT_AUTH_USER;
			break;
		case 'p': /* twice: anywhere */
			clear++;
			break;
		default:
			bad = c == '?' || (injector_option(&in, c, optarg) < 0 && stage_option(&options, in.name, c, optarg) < 0);
		}
	if (clear) {
		bad |= in.client.tls == CLIENT_IMPLICIT;
		in.client.tls = CLIENT_CLEAR;
		in.client.loopback = clear == 1;
	}
	if (bad || injector_check(&in, argv + optind, (size_t)(argc - optind),
	               in.client.tls == CLIENT_IMPLICIT ? "465" : clear ? "25" : "587") < 0)
		return usage(&in);
	return injector_run(&in, &options);
}
