/* ISC licence, see LICENSE. */
#include <stdbool.h>
#include <unistd.h>

#include "injector.h"
#include "stage.h"

static int
usage(struct injector *in)
{
	injector_close(in);
	return stage_misuse("usage: lmtp-inject [-knsS] " INJECTOR_USAGE "[-i seconds] [-r recipient] [-t seconds] "
	                    STAGE_USAGE " address");
}

int
main(int argc, char *argv[])
{
	struct stage_options options;
	struct injector in;
	int c, bad = injector_open(&in, "lmtp-inject", argc);

	in.client.lmtp = true;
	stage_options(&options);
	while (!bad && (c = getopt(argc, argv, "+i:sS" INJECTOR_OPTIONS STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'i':
			in.keep_s = injector_seconds(optarg);
			break;
		case 's':
			in.client.tls = CLIENT_STARTTLS;
			break;
		case 'S':
			in.client.tls = CLIENT_IMPLICIT;
			break;
		default:
			bad = c == '?' || (injector_option(&in, c, optarg) < 0 && stage_option(&options, in.name, c, optarg) < 0);
		}
	if (bad || argc - optind != 1 || injector_check(&in, argv + optind, 1, NULL) < 0)
		return usage(&in);
	return injector_run(&in, &options);
}
