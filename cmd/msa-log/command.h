/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_COMMAND_H
#define MSA_LOG_COMMAND_H

#include <stdbool.h>

#include "base/program.h"
#include "input.h"

enum { COMMAND_NONE = 1 }; /* exit code: nothing was found */

/* What the command line says. */
struct command_conf {
	struct input_conf input;
	bool draw;         /* show: as a sequence */
	bool graphic;      /* show: SVG; report: HTML */
	bool timeline;     /* find: all that is known of a message */
	const char *state; /* metrics: the file of the counters */
	char **word;       /* what follows the options, ended by NULL */
};

/* The commands. Each returns an exit code. */
int command_show(struct command_conf *conf);
int command_find(struct command_conf *conf);
int command_report(struct command_conf *conf);
int command_metrics(struct command_conf *conf);

#define command_complain(...) program_complain("msa-log", __VA_ARGS__)

/* Say on standard error how many lines of the input were not understood, if there were any. */
void command_others(unsigned long long others);

/* Make the words from first on the files that are read. */
void command_files(struct command_conf *conf, char **first);

/* Open the input. Returns an exit code; what failed was said. In any case input_close is called in the end. */
int command_open(struct input *in, const struct input_conf *conf);

/*
 * Call line for each line of the input, until it returns -1 with errno set. Returns an exit code; what failed was said.
 */
int command_read(struct input *in, int (*line)(const struct logline *l, void *ctx), void *ctx);

#endif
