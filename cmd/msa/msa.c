/* ISC licence, see LICENSE. */
#include <err.h>
#include <stdio.h>

#include "base/finding.h"
#include "base/program.h"
#include "chain/limits.h"

/* What the usage says after the name. */
static const char usage_words[] = "word [arg ...]";

int
main(int argc, char **argv)
{
	struct finding asked;

	if (program_answers("msa", usage_words, argc, argv))
		return CHAIN_DONE;
	if (finding_asked(&asked, "msa", &argc, &argv) && argc > 1 && *argv[1] != '-') {
		finding_number("next", 1);
		return CHAIN_DONE;
	}
	if (argc < 2 || *argv[1] == '-') {
		fprintf(stderr, "usage: msa %s\n", usage_words);
		return CHAIN_MISUSE;
	}
	program_exec(argv + 1);
	err(CHAIN_LATER, "%s", argv[1]);
}
