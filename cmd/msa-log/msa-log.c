/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/logwrap.h"
#include "base/program.h"
#include "command.h"
#include "msa/chain.h"

/* What the usage says after the name. */
static const char usage_words[] = "command [-dfgv] [-c state] [-j unit] [-s since] [-u until]"
    " [id | condition ...] [file ...]";

static const struct command {
	const char *word, *options;
	int (*run)(struct command_conf *conf);
} commands[] = {
	{ "find", "+fj:s:u:v", command_find },
	{ "metrics", "+c:j:", command_metrics },
	{ "report", "+gj:s:u:", command_report },
	{ "show", "+dfgj:s:u:", command_show },
};

static int
usage(void)
{
	fprintf(stderr, "usage: msa-log %s\n", usage_words);
	return CHAIN_MISUSE;
}

static const struct command *
find_command(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	return NULL;
}

/* Take an option with a time. Returns 0, or -1 with a message printed: the value is not a time. */
static int
take_time(int64_t *us, const char *text, int64_t now)
{
	int64_t second;

	if (logwrap_time(text, now, &second) < 0) {
		command_complain(CHAIN_MISUSE, "%s: not a time, such as 2026-11-30, \"2026-11-30 12:00\", 12:00, today or -2h", text);
		return -1;
	}
	*us = second * 1000000;
	return 0;
}

/* Take the options of a command. Returns 0, -1 (misuse, said), or 1 (misuse, to be answered with the usage). */
static int
take_options(struct command_conf *conf, const struct command *command, int argc, char **argv)
{
	struct input_conf *in = &conf->input;
	int c, wrong = 0;

	while (!wrong && (c = getopt(argc, argv, command->options)) != -1)
		switch (c) {
		case 'c':
			conf->state = optarg;
			break;
		case 'd':
			conf->draw = true;
			break;
		case 'f':
			in->follow = true;
			break;
		case 'g':
			conf->graphic = true;
			break;
		case 'j':
			in->unit = optarg;
			break;
		case 's':
			wrong = take_time(&in->since_us, optarg, in->now);
			break;
		case 'u':
			wrong = take_time(&in->until_us, optarg, in->now);
			break;
		case 'v':
			conf->timeline = true;
			break;
		default:
			wrong = 1;
		}
	conf->word = argv + optind;
	return wrong;
}

int
main(int argc, char *argv[])
{
	struct command_conf conf = { .input = { .since_us = INT64_MIN, .until_us = INT64_MAX, .now = time(NULL) } };
	const struct command *command;
	int wrong;

	if (program_answers("msa-log", usage_words, argc, argv))
		return CHAIN_DONE;
	if (argc < 2 || !(command = find_command(argv[1])))
		return usage();
	argv[1] = argv[0]; /* getopt's messages begin with the program's name */
	wrong = take_options(&conf, command, argc - 1, argv + 1);
	if (wrong)
		return wrong < 0 ? CHAIN_MISUSE : usage();
	if ((command->run == command_show || command->run == command_find) && !*conf.word)
		return usage();
	return command->run(&conf);
}
