/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"
#include "submission.h"

static int
usage(void)
{
	fputs("usage: submitd [-e errors] [-S seconds] [-t seconds] [-U user[:group]] [-w seconds] prog [arg ...]\n", stderr);
	return CHAIN_MISUSE;
}

/* A whole number from 1 to max. */
static int
number(const char *s, long max, int *value)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || n < 1 || n > max) {
		fprintf(stderr, "submitd: %s: not a number from 1 to %ld\n", s, max);
		return -1;
	}
	*value = (int)n;
	return 0;
}

int
main(int argc, char *argv[])
{
	const struct stage stage = {
		.name = "submitd", .kind = STAGE_SESSION, .owner = FACTS_SUBMITD, .serve = submission_serve
	};
	struct submission_conf conf = {
		.command_wait_s = CHAIN_COMMAND_WAIT_S,
		.answer_s = CHAIN_ANSWER_S,
		.session_s = CHAIN_SESSION_S,
		.errors_max = CHAIN_ERRORS_MAX,
	};
	const char *user = NULL;
	int c, bad = 0;

	while ((c = getopt(argc, argv, "+e:S:t:U:w:")) != -1)
		switch (c) {
		case 'e':
			bad |= number(optarg, 1000000, &conf.errors_max);
			break;
		case 'S':
			bad |= number(optarg, 604800, &conf.session_s);
			break;
		case 't':
			bad |= number(optarg, 86400, &conf.answer_s);
			break;
		case 'U':
			user = optarg;
			break;
		case 'w':
			bad |= number(optarg, 86400, &conf.command_wait_s);
			break;
		default:
			return usage();
		}
	if (bad || optind == argc)
		return usage();
	conf.next = argv + optind;
	return stage_run(&stage, &conf, user);
}
