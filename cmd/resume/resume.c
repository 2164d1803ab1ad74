/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <unistd.h>

#include "base/number.h"
#include "chain/limits.h"
#include "session.h"
#include "stage/stage.h"

enum {
	WAIT_S = 120,
	WAIT_MAX_S = 3600,
};

static int
usage(void)
{
	fputs("usage: resume [-t seconds] " STAGE_USAGE " prog [arg ...]\n", stderr);
	return CHAIN_MISUSE;
}

int
main(int argc, char *argv[])
{
	const struct stage stage = {
		.name = "resume", .kind = STAGE_SESSION, .owner = FACTS_SUBMITD, .serve = resume_serve
	};
	struct resume conf = { .wait_ms = WAIT_S * 1000 };
	struct stage_options options;
	long long n;
	int c;

	stage_options(&options);
	while ((c = getopt(argc, argv, "+t:" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 't':
			if (number_parse(optarg, 1, WAIT_MAX_S, &n) < 0)
				return usage();
			conf.wait_ms = (int)n * 1000;
			break;
		default:
			if (c == '?' || stage_option(&options, "resume", c, optarg) < 0)
				return usage();
		}
	if (optind == argc)
		return usage();
	conf.server = argv + optind;
	return stage_run(&stage, &conf, &options);
}
