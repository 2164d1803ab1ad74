/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/program.h"
#include "chain/limits.h"
#include "stage/instance.h"
#include "stages.h"

enum { STAGES_MAX = 16 }; /* in one process */

static const struct stage *const stages[] = {
	&bounce_stage, &copy_stage, &encode_stage, &limit_stage, &lmtp_inject_stage, &maildir_inject_stage,
	&milter_stage, &policy_stage, &qualify_stage, &rewrite_stage, &rights_stage, &smtp_inject_stage, &spool_stage,
	&stamp_stage, &submitd_stage, &trace_stage,
};

/* The stages of this process, in the chain's order: each one's next is the one that follows. */
struct chain {
	struct instance stage[STAGES_MAX];
	size_t n;
};

/* Returns the stage whose name is this word, or NULL. A word with a slash is another program. */
static const struct stage *
find(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof stages / sizeof *stages; i++)
		if (strcmp(stages[i]->name, name) == 0)
			return stages[i];
	return NULL;
}

/* Returns why the stage cannot be here, or NULL if it can. */
static const char *
objection(const struct instance *i)
{
	if (i->instead)
		return "has an option that prints something and ends";
	if (i->inner && i->kind != STAGE_MESSAGE)
		return "serves sessions, so it can only be the first";
	if (i->inner && i->options.any)
		return "has -A, -C, -l, -P, -R or -U, which only the first stage may have";
	return NULL;
}

/* Returns true if the chain delivers messages; false if it is a filter that a person runs. */
static bool
is_service(const struct instance *first)
{
	return first->stage->owner == FACTS_SUBMITD || first->options.path || getenv("MSA_MESSAGE");
}

/* Read the words of our stages, up to the first word that names another program. Returns 0, or the exit code. */
static int
read_stages(struct chain *c, int argc, char *argv[])
{
	const struct stage *stage;

	while (c->n < STAGES_MAX && (stage = find(argv[0]))) {
		struct instance *i = &c->stage[c->n++];
		const char *why;
		int result, used;

		i->inner = c->n > 1;
		result = instance_read(i, stage, argc, argv);
		if (result != 0)
			return result;
		why = objection(i);
		if (why) {
			fprintf(stderr, "inline: %s %s\n", stage->name, why);
			return CHAIN_MISUSE;
		}
		used = (int)(i->next.argv - argv);
		argv += used;
		argc -= used;
	}
	return 0;
}

/* Have each stage call the next one. Returns 0, or the exit code. */
static int
join(struct chain *c)
{
	const struct instance *last = &c->stage[c->n - 1];
	bool service = is_service(&c->stage[0]);
	size_t i;

	for (i = 1; i < c->n && !service; i++)
		if (c->stage[i].stage->needs_chain && c->stage[i].next.how != NEXT_NONE) {
			fprintf(stderr, "%s: %s: MSA_MESSAGE is not set: not in a chain (submit starts one)\n", c->stage[i].stage->name,
			    c->stage[i].next.argv[0]);
			return CHAIN_MISUSE;
		}
	if (service && last->stage->next != STAGE_DELIVERS && last->next.how == NEXT_NONE) {
		fprintf(stderr, "inline: nothing follows %s, which does not deliver\n", last->stage->name);
		return CHAIN_MISUSE;
	}
	for (i = 0; i + 1 < c->n; i++)
		c->stage[i].next = (struct next){ .how = NEXT_INNER, .argv = c->stage[i].next.argv, .inner = &c->stage[i + 1] };
	return 0;
}

/*
 * What msa-check(8) asks: each stage as if it were alone, up to the first word that names another program. The stages
 * after the first one are in a chain, whether MSA_MESSAGE is set or not.
 */
static int
examine(const struct finding *asked, int argc, char *argv[])
{
	const struct stage *stage;
	struct next next = { .argv = argv + 1 };
	bool inner;

	for (inner = false; next.argv[0] && (stage = find(next.argv[0])); inner = true) {
		const struct finding own = { .name = stage->name, .network = asked->network };
		struct instance i = { .inner = inner, .asked = &own };
		const char *why;
		int at = (int)(next.argv - argv), result = instance_read(&i, stage, argc - at, argv + at);

		next = i.next;
		why = i.instead ? NULL : objection(&i); /* every stage reports what it does instead */
		if (result == 0 && why)
			stage_found(&i, "", NULL, "%s", why);
		if (result == 0)
			instance_examine(&i);
		instance_release(&i);
		if (result != 0)
			return result;
		if (next.how != NEXT_EXEC)
			return CHAIN_DONE;
	}
	finding_number("next", next.argv - argv);
	return CHAIN_DONE;
}

#define USAGE "stage [option ...] [prog [arg ...]]" /* after the name */

int
main(int argc, char *argv[])
{
	struct chain c = { .n = 0 };
	struct finding asked;
	bool is_asked;
	int result;

	if (program_answers("inline", USAGE, argc, argv))
		return CHAIN_DONE;
	is_asked = finding_asked(&asked, "inline", &argc, &argv);
	if (argc < 2 || !find(argv[1]))
		return stage_misuse("usage: inline " USAGE);
	if (is_asked)
		return examine(&asked, argc, argv);
	result = read_stages(&c, argc - 1, argv + 1);
	if (result == 0)
		result = join(&c);
	if (result == 0)
		result = instance_run(&c.stage[0]);
	else if (result == CHAIN_MISUSE && getenv("MSA_MESSAGE")) /* a mistake of ours never refuses mail */
		result = CHAIN_LATER;
	while (c.n > 0)
		instance_release(&c.stage[--c.n]);
	return result;
}
