/* ISC licence, see LICENSE. */
#include "stage/sandbox.h"

#include "chain/limits.h"

struct claims {
	struct sandbox *sandbox;
};

void
stage_reads(struct claims *c, const char *file)
{
	confine_reads(&c->sandbox->confine, file);
}

void
stage_writes(struct claims *c, const char *directory)
{
	confine_writes(&c->sandbox->confine, directory);
}

void
stage_connects(struct claims *c, unsigned port)
{
	if (port == 0)
		c->sandbox->confine.may |= CONFINE_LOCAL;
	else
		confine_connects(&c->sandbox->confine, port);
}

void
stage_starts(struct claims *c)
{
	c->sandbox->starts = true;
}

static void
state_stage(struct sandbox *s, const struct instance *i)
{
	const struct stage *stage = i->stage;
	struct claims claims = { s };

	if (stage->needs & STAGE_PROGRAMS || (stage->needs & (STAGE_FILES | STAGE_NETWORK) && !stage->claim))
		s->starts = true;
	if (stage->needs & STAGE_TEMPORARY)
		s->confine.may |= CONFINE_TEMPORARY;
	if (stage->claim)
		stage->claim(i->conf, &claims);
	if (i->next.how == NEXT_CALL)
		s->confine.may |= CONFINE_LOCAL;
	if (i->next.how == NEXT_EXEC)
		s->starts = true;
}

void
sandbox_state(struct sandbox *s, const struct instance *i, unsigned may)
{
	*s = (struct sandbox){ .confine = { .may = may } };
	for (; i; i = i->next.how == NEXT_INNER ? i->next.inner : NULL)
		state_stage(s, i);
}

int
sandbox_prepare(struct sandbox *s, const struct log *log)
{
	enum confine_mode mode = confine_mode();
	const char *lacks;

	if (mode == CONFINE_INVALID) {
		log_error(log, "misuse", "MSA_SANDBOX is neither require nor off");
		return CHAIN_MISUSE;
	}
	if (log->syslog)
		s->confine.may |= CONFINE_LOCAL;
	s->starts |= mode == CONFINE_OFF;
	if (s->starts)
		return CHAIN_DONE;
	if (confine_prepare(&s->confine, &lacks) < 0) {
		log_error(log, "failed", "sandbox:");
		return CHAIN_LATER;
	}
	if (lacks && (s->confine.may & CONFINE_ACCEPT || mode == CONFINE_REQUIRED))
		log_event(log, "sandbox", "missing", lacks, (char *)NULL);
	return lacks && mode == CONFINE_REQUIRED ? CHAIN_MISUSE : CHAIN_DONE;
}

int
sandbox_enter(const struct sandbox *s, const struct instance *i)
{
	if (s->starts)
		return 0;
	for (; i; i = i->next.how == NEXT_INNER ? i->next.inner : NULL)
		if (i->stage->prepare && i->stage->prepare(i->conf) < 0)
			return -1;
	return confine_enter(&s->confine);
}

void
sandbox_free(struct sandbox *s)
{
	confine_free(&s->confine);
}
