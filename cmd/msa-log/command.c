/* ISC licence, see LICENSE. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "msa/chain.h"

void
command_others(unsigned long long others)
{
	if (others > 0)
		fprintf(stderr, "msa-log: lines that are not of this log, or not understood: %llu\n", others);
}

void
command_files(struct command_conf *conf, char **first)
{
	conf->input.path = first;
	for (conf->input.n = 0; first[conf->input.n]; conf->input.n++)
		;
}

int
command_open(struct input *in, const struct input_conf *conf)
{
	if (input_open(in, conf) == 0)
		return CHAIN_DONE;
	if (errno == E2BIG)
		return command_complain(CHAIN_MISUSE, "too many files: at most %d at once", INPUT_FILES);
	return command_complain(CHAIN_LATER, "%s:", in->why);
}

int
command_read(struct input *in, int (*line)(const struct logline *l, void *ctx), void *ctx)
{
	const struct logline *l;
	enum input_result r;

	while ((r = input_next(in, &l)) != INPUT_END) {
		if (r == INPUT_ERROR)
			return command_complain(CHAIN_LATER, "%s:", in->why);
		if (r == INPUT_PAUSE)
			input_wait();
		else if (line(l, ctx) < 0)
			return command_complain(CHAIN_LATER, "memory:");
		if (ferror(stdout))
			return CHAIN_LATER; /* nobody reads on */
	}
	return CHAIN_DONE;
}
