/* ISC licence, see LICENSE. */
#include "stage/inproc.h"

#include <errno.h>

#include "chain/limits.h"

const struct ready *
inproc_find(const struct inproc *j, char *const argv[])
{
	size_t i;

	for (i = 1; j && i < j->n; i++)
		if (j->words[i] == argv)
			return &j->stage[i];
	return NULL;
}

int
inproc_next(struct call *call, const struct ready *stage)
{
	const char *name = call->log.stage;
	int r;

	call->log.stage = stage->stage.name;
	r = stage->stage.serve(call, stage->conf);
	call->log.stage = name;
	return r;
}

int
inproc_deliver(const struct call *call, const struct ready *stage, int msg, int envelope, size_t n, struct verdict *v)
{
	struct buf text = { 0 };
	struct call inner = {
		.in = msg,
		.out = -1,
		.envelope = envelope,
		.stop = -1,
		.resident = true, /* its caller goes on after it, so it may not become another program */
		.joined = call->joined,
		.verdict = &text,
		.log = call->log,
	};
	int r = -1, code;

	inner.log.stage = stage->stage.name;
	if (facts_copy(&inner.facts, &call->facts) == 0 && stage_learn(&stage->stage, &inner) == 0) {
		code = stage->stage.serve(&inner, stage->conf);
		/* It was given whole or not at all. */
		r = stage_judge(call, stage->stage.name, &text, text.len ? VERDICT_DOT : VERDICT_EXIT, code, n, v);
	}
	facts_free(&inner.facts);
	buf_free(&text);
	if (r < 0)
		errno = ENOMEM;
	return r;
}

static int
serve(struct call *call, void *arg)
{
	struct inproc *j = arg;
	int r;

	call->joined = j;
	r = j->stage[0].stage.serve(call, j->stage[0].conf);
	if (!call->resident)
		inproc_idle(j);
	return r;
}

/*
 * As if each had its own process: what one cannot use anew keeps no other from what is new to it. -1 where nothing is
 * new, so that the workers stay as they are; 1 where something is and something is not.
 */
static int
reload(void *arg, const struct log *log)
{
	struct inproc *j = arg;
	struct log own = *log;
	int fresh = 0, kept = 0;
	size_t i;

	for (i = 0; i < j->n; i++) {
		const struct stage *s = &j->stage[i].stage;

		own.stage = s->name;
		if (!s->reload)
			continue;
		if (s->reload(j->stage[i].conf, &own) == 0)
			fresh++;
		else
			kept++;
	}
	return kept == 0 ? 0 : fresh == 0 ? -1 : 1;
}

void
inproc_idle(void *joined)
{
	struct inproc *j = joined;
	size_t i;

	for (i = 0; i < j->n; i++)
		if (j->stage[i].stage.idle)
			j->stage[i].stage.idle(j->stage[i].conf);
}

int
inproc_idle_s(const struct inproc *j)
{
	int least = 0;
	size_t i;

	for (i = 0; i < j->n; i++) {
		const struct stage *s = &j->stage[i].stage;

		if (s->idle && s->idle_s > 0 && (least == 0 || s->idle_s < least))
			least = s->idle_s;
	}
	return least;
}

int
inproc_run(struct inproc *j)
{
	struct stage whole = j->stage[0].stage;

	whole.serve = serve;
	whole.reload = reload;
	whole.idle = inproc_idle;
	whole.idle_s = inproc_idle_s(j);
	return stage_run(&whole, j, &j->stage[0].options);
}

void
inproc_release(struct inproc *j)
{
	size_t i;

	for (i = 0; i < j->n; i++)
		ready_release(&j->stage[i]);
	j->n = 0;
}
