/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "stage/stages.h"

enum {
	FACTS_A_LINE = 6,
	NAME_MAX_SHOWN = 64,
};

struct conf {
	bool verbose;
	char *const *next;
};

/* All that chain(7) names, and nothing else: what else is in the environment is not ours to show. */
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

/* Run the rest of the chain, so that what comes back can be seen too. */
static int
serve_message(struct call *call, const struct conf *conf, const struct envelope *e)
{
	int64_t start_ms = clock_ms(), late = facts_number(&call->facts, "MSA_DEADLINE", 0) - (int64_t)time(NULL);
	struct verdict v = { 0 };
	int r;

	if (late <= 0 || late > CHAIN_SESSION_S)
		late = CHAIN_ANSWER_S;
	show_message(call, e, conf->verbose);
	if (stage_deliver(call, conf->next, call->in, call->envelope, e->nrcpt, start_ms + late * 1000, &v) < 0)
		return stage_verdict(call, REPLY_NO_MEMORY, NULL);
	show_verdict(call, &v, start_ms, conf->verbose);
	r = stage_pass(call, &v);
	if (r < 0)
		log_error(&call->log, "failed", "verdict:");
	verdict_free(&v);
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct envelope e = { 0 };
	const char *why = "MSA_RCPTS is not the number of recipients";
	int r;

	if (conf->verbose || call->envelope < 0)
		show_facts(call);
	if (call->envelope < 0) /* a session: what is said in it is not for this stage, nor for the log */
		return stage_next(call, conf->next);
	if (envelope_read(&e, call->envelope, &why) < 0 || e.nrcpt == 0 ||
	    facts_number(&call->facts, "MSA_RCPTS", -1) != (long long)e.nrcpt) {
		log_error(&call->log, "misuse", "%s", why ? why : "MSA_RCPTS is not the number of recipients");
		r = stage_verdict(call, REPLY_LOCAL_ERROR, NULL);
	} else
		r = serve_message(call, conf, &e);
	envelope_free(&e);
	return r;
}

int
trace_ready(struct ready *r, int argc, char *argv[])
{
	struct conf *conf = ready_conf(r, sizeof *conf);
	bool in_chain = r->inner || getenv("MSA_MESSAGE"), usage = false;
	int c;

	if (!conf)
		return CHAIN_LATER;
	r->stage = (struct stage){ .name = "trace", .kind = STAGE_SESSION, .owner = FACTS_NOBODY, .serve = serve };
	if (in_chain)
		r->stage.kind = STAGE_MESSAGE;
	while ((c = getopt(argc, argv, "+mv" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'm':
			r->stage.kind = STAGE_MESSAGE;
			break;
		case 'v':
			conf->verbose = true;
			break;
		default:
			usage |= c == '?' || stage_option(&r->options, "trace", c, optarg) < 0;
		}
	if (usage || optind == argc || (r->stage.kind == STAGE_MESSAGE && !r->options.path && !in_chain))
		return stage_misuse("usage: trace [-mv] " STAGE_USAGE " prog [arg ...]");
	r->next = conf->next = argv + optind;
	return 0;
}
