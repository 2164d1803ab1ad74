/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/program.h"
#include "chain/limits.h"
#include "rules.h"

enum { FOUND = 1 }; /* exit code, as grep's is for what it looks for */

/* What the usage says after the name. */
static const char usage_words[] = "[-mnq] [-e separator] [-U user] word ... [separator ...]";

static int
usage(void)
{
	fprintf(stderr, "usage: msa-check %s\n", usage_words);
	return CHAIN_MISUSE;
}

/*
 * Read the options in front of a command line: -m and -U are about this line, the others about all. Returns the number
 * of words read, or -1: misuse.
 */
static int
read_options(struct lines *l, int argc, char *argv[], bool *in_chain, const char **user, const char **separator)
{
	int c;

	*in_chain = false;
	*user = NULL;
	optind = 1;
	opterr = 0;
	while ((c = getopt(argc, argv, l->n == 0 ? "+e:mnqU:" : "+mU:")) != -1)
		switch (c) {
		case 'e':
			*separator = optarg;
			break;
		case 'm':
			*in_chain = true;
			break;
		case 'n':
			l->network = true;
			break;
		case 'q':
			l->findings->quiet = true;
			break;
		case 'U':
			*user = optarg;
			break;
		default:
			return -1;
		}
	return optind < argc ? optind : -1;
}

/* Read the command lines. Returns CHAIN_DONE or another exit code. */
static int
read_lines(struct lines *l, int argc, char *argv[])
{
	const char *separator = NULL, *user;
	struct line *line;
	bool in_chain;
	int n, end;

	for (; argc > 1; argc -= end, argv += end) {
		n = read_options(l, argc, argv, &in_chain, &user, &separator);
		if (n < 0)
			return usage();
		for (end = n; end < argc && (!separator || strcmp(argv[end], separator) != 0); end++)
			;
		if (end == n || end == argc - 1)
			return usage();
		if (end < argc)
			argv[end] = NULL;
		line = lines_add(l, argv + n, "");
		if (!line || (user && !(line->user = strdup(user)))) {
			perror("msa-check");
			return CHAIN_LATER;
		}
		line->in_chain = in_chain;
	}
	return l->n > 0 ? CHAIN_DONE : usage();
}

int
main(int argc, char *argv[])
{
	struct findings findings = { .n = 0 };
	struct lines lines = { .findings = &findings };
	size_t i;
	int r;

	if (program_answers("msa-check", usage_words, argc, argv))
		return CHAIN_DONE;
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = read_lines(&lines, argc, argv);
	for (i = 0; r == CHAIN_DONE && i < lines.n; i++)
		lines_walk(&lines, i);
	if (r == CHAIN_DONE) {
		rules_apply(&lines);
		r = findings.n > 0 ? FOUND : CHAIN_DONE;
	}
	lines_free(&lines);
	findings_free(&findings);
	return r;
}
