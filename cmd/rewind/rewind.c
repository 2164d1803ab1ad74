/* ISC licence, see LICENSE. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/finding.h"
#include "base/program.h"
#include "chain/limits.h"

/* What the usage says after the name. */
static const char usage_words[] = "[prog [arg ...]]";

int
main(int argc, char **argv)
{
	struct finding asked;
	bool is_asked;

	if (program_answers("rewind", usage_words, argc, argv))
		return CHAIN_DONE;
	is_asked = finding_asked(&asked, "rewind", &argc, &argv);
	if (getopt(argc, argv, "+") != -1) {
		fprintf(stderr, "usage: rewind %s\n", usage_words);
		/* A script may exit with this code. In a chain that must not refuse mail for good. */
		return getenv("MSA_MESSAGE") ? CHAIN_LATER : CHAIN_MISUSE;
	}
	if (is_asked) {
		finding_stage("rewind", "either");
		if (optind < argc)
			finding_number("next", optind);
		return CHAIN_DONE;
	}
	argv += optind;
	if (lseek(CHAIN_FD_IN, 0, SEEK_SET) < 0)
		err(CHAIN_LATER, "fd 0");
	if (!*argv)
		return CHAIN_DONE;
	program_exec(argv);
	err(CHAIN_LATER, "%s", *argv);
}
