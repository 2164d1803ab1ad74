/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/limits.h"
#include "stage/inproc.h"
#include "stage/stages.h"

/* By name, as the word stands in the chain: one with a slash is somebody else's program. */
static const struct {
	const char *name;
	ready_fn *make;
} stages[] = {
	{ "bounce", bounce_ready },
	{ "limit", limit_ready },
	{ "lmtp-inject", lmtp_inject_ready },
	{ "maildir-inject", maildir_inject_ready },
	{ "qualify", qualify_ready },
	{ "rights", rights_ready },
	{ "smtp-inject", smtp_inject_ready },
	{ "spool", spool_ready },
	{ "stamp", stamp_ready },
	{ "submitd", submitd_ready },
	{ "trace", trace_ready },
};

static ready_fn *
find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof stages / sizeof *stages; i++)
		if (strcmp(stages[i].name, name) == 0)
			return stages[i].make;
	return NULL;
}

/* What only works for a program of its own. */
static const char *
objection(const struct ready *r)
{
	if (r->instead)
		return "has an option that prints something and ends";
	if (r->inner && r->stage.kind != STAGE_MESSAGE)
		return "serves sessions, so it can only be the first";
	if (r->inner && r->options.any)
		return "has -A, -C, -l, -P, -R or -U, which are the first one's to have";
	return NULL;
}

/* It has messages to deliver, and is no filter by hand. */
static bool
is_service(const struct inproc *j)
{
	return j->stage[0].stage.owner == FACTS_SUBMITD || j->stage[0].options.path || getenv("MSA_MESSAGE");
}

/* Make the stage at words ready, and those behind it that are ours. 0, or the exit code. */
static int
join(struct inproc *j, int argc, char *argv[])
{
	ready_fn *make;

	for (j->n = 0; argc > 0 && j->n < INPROC_MAX && (make = find(*argv)); j->n++) {
		struct ready *r = &j->stage[j->n];
		const char *why;
		int result, used;

		*r = (struct ready){ .inner = j->n > 0 };
		j->words[j->n] = argv;
		optind = 1;
		result = ready_make(r, make, argc, argv);
		why = result == 0 ? objection(r) : NULL;
		if (why)
			fprintf(stderr, "inline: %s %s\n", *argv, why);
		if (result != 0 || why) {
			j->n++;
			return why ? CHAIN_MISUSE : result;
		}
		used = r->next ? (int)(r->next - argv) : argc;
		argv += used;
		argc -= used;
	}
	if (is_service(j) && j->stage[j->n - 1].next && !*j->stage[j->n - 1].next) {
		fprintf(stderr, "inline: nothing stands behind %s, which does not deliver\n", *j->words[j->n - 1]);
		return CHAIN_MISUSE;
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	struct inproc j = { .n = 0 };
	int result;

	if (argc < 2 || !find(argv[1]))
		return stage_misuse("usage: inline stage [option ...] [prog [arg ...]]");
	result = join(&j, argc - 1, argv + 1);
	if (result == 0)
		result = inproc_run(&j);
	else if (result == CHAIN_MISUSE && getenv("MSA_MESSAGE")) /* our mistakes never refuse mail */
		result = CHAIN_LATER;
	inproc_release(&j);
	return result;
}
