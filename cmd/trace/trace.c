/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "stage/instance.h"
#include "stage/run.h"

enum {
	FACTS_A_LINE = 6,
	NAME_MAX_SHOWN = 64,
};

struct conf {
	bool verbose;
};

/* Log the variables that chain-facts(7) names. Other ones of the environment may be private, and are not logged. */
static void
show_facts(const struct call *call)
{
	char name[FACTS_A_LINE][NAME_MAX_SHOWN];
	const char *v[FACTS_A_LINE];
	size_t i, n = 0;

	for (i = 0; i < call->facts.n; i++) {
		const char *equals = strchr(call->facts.v[i], '=');

		if (!equals)
			continue;
		snprintf(name[n], sizeof *name, "%.*s", (int)(equals - call->facts.v[i]), call->facts.v[i]);
		if (facts_owner(name[n]) == FACTS_NOBODY)
			continue;
		v[n++] = equals + 1;
		if (n == FACTS_A_LINE) {
			log_event(&call->log, "facts", name[0], v[0], name[1], v[1], name[2], v[2], name[3], v[3], name[4], v[4],
			    name[5], v[5], (char *)NULL);
			n = 0;
		}
	}
	for (i = 0; i < n; i++)
		log_event(&call->log, "facts", name[i], v[i], (char *)NULL);
}

static void
show_message(const struct call *call, const struct envelope *e, bool verbose)
{
	char octets[24], rcpts[24], copies[24], from[300];
	size_t i;

	snprintf(octets, sizeof octets, "%lld", (long long)file_size(call->in));
	snprintf(rcpts, sizeof rcpts, "%zu", e->nrcpt);
	snprintf(copies, sizeof copies, "%zu", e->ncopy);
	snprintf(from, sizeof from, "%.*s", (int)e->mail.path_len, e->mail.path);
	log_event(&call->log, "message", "octets", octets, "from", from, "params", *e->mail.params ? e->mail.params : NULL,
	    "rcpts", rcpts, "copies", e->ncopy ? copies : NULL, (char *)NULL);
	for (i = 0; verbose && i < e->nrcpt + e->ncopy; i++)
		log_event(&call->log, "envelope", "line", e->rcpt[i].text, (char *)NULL);
}

static void
show_verdict(const struct call *call, const struct verdict *v, int64_t start_ms, bool verbose)
{
	char code[24], accepted[24], ms[24], text[300];
	const struct reply_foreign *worst;
	size_t i, yes = 0;
	bool mixed;

	worst = verdict_reduce(v, &mixed);
	for (i = 0; i < v->n; i++) {
		const struct reply_foreign *r = &v->reply[i];

		yes += r->code < 300;
		if (!verbose)
			continue;
		snprintf(text, sizeof text, "%d%s%s %s", r->code, *r->enhanced ? " " : "", r->enhanced, r->text ? r->text : "");
		log_event(&call->log, "reply", "text", text, (char *)NULL);
	}
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	snprintf(accepted, sizeof accepted, "%zu", yes);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start_ms));
	log_event(&call->log, "done", "verdict", code, "accepted", accepted, "text", worst ? worst->text : NULL, "why",
	    v->why, "ms", ms, (char *)NULL);
}

/* Run the rest of the chain and log its verdict too. Answer before our own caller ends us. */
static int
serve_message(struct call *call, const struct conf *conf, const struct envelope *e)
{
	int64_t start_ms = clock_ms(), deadline_ms = call_own_deadline(call);
	struct verdict v = { 0 };

	show_message(call, e, conf->verbose);
	if (call_set_deadline(call, deadline_ms) < 0 ||
	    call_deliver(call, call->next, call->in, call->envelope, e->nrcpt, deadline_ms, &v) < 0)
		return call_failed(call, "verdict");
	show_verdict(call, &v, start_ms, conf->verbose);
	return call_answer(call, &v);
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	const struct envelope *e;

	if (conf->verbose || call->kind == CALL_SESSION)
		show_facts(call);
	if (call->kind == CALL_SESSION) /* the conversation is neither read nor logged here */
		return call_next(call);
	e = call_envelope(call);
	return e ? serve_message(call, conf, e) : call_failed(call, NULL);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	(void)value;
	if (letter == 'm')
		i->kind = STAGE_MESSAGE;
	else
		((struct conf *)arg)->verbose = true;
	return 0;
}

const struct stage trace_stage = {
	.name = "trace",
	.kind = STAGE_EITHER,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.options = "mv",
	.usage = "[-mv] " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.serve = serve,
};
