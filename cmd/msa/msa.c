/* ISC licence, see LICENSE. */
#include <err.h>
#include <stdio.h>

#include "base/program.h"
#include "chain/limits.h"

int
main(int argc, char **argv)
{
	if (program_says_version("msa", argc, argv))
		return CHAIN_DONE;
	if (argc < 2 || *argv[1] == '-') {
		fputs("usage: msa word [arg ...]\n", stderr);
		return CHAIN_MISUSE;
	}
	program_exec(argv + 1);
	err(CHAIN_LATER, "%s", argv[1]);
}
