/* ISC licence, see LICENSE. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/program.h"
#include "chain/limits.h"

int
main(int argc, char **argv)
{
	if (program_says_version("rewind", argc, argv))
		return CHAIN_DONE;
	if (getopt(argc, argv, "+") != -1) {
		fputs("usage: rewind [prog [arg ...]]\n", stderr);
		/* A script may exit with this code. In a chain that must not refuse mail for good. */
		return getenv("MSA_MESSAGE") ? CHAIN_LATER : CHAIN_MISUSE;
	}
	argv += optind;
	if (lseek(CHAIN_FD_IN, 0, SEEK_SET) < 0)
		err(CHAIN_LATER, "fd 0");
	if (!*argv)
		return CHAIN_DONE;
	program_exec(argv);
	err(CHAIN_LATER, "%s", *argv);
}
