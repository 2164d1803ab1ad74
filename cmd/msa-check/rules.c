/* ISC licence, see LICENSE. */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "base/user.h"

/* The order of two stages in one chain: why first comes before later. */
static const struct order {
	const char *first, *later;
	enum findings_level level;
	const char *why;
} orders[] = {
	{ "tlsd", "authd", FINDINGS_ERROR, "passwords would come in the clear" },
	{ "tlsd", "tlsd", FINDINGS_ERROR, "TLS is there already" },
	{ "authd", "authd", FINDINGS_ERROR, "the user is known already" },
	{ "qualify", "rights", FINDINGS_WARNING, "rights would see addresses that are not complete" },
	{ "qualify", "stamp", FINDINGS_WARNING, "Received is the last field that this server adds" },
	{ "qualify", "bounce", FINDINGS_WARNING, "qualify would get the reports of bounce too" },
	{ "stamp", "bounce", FINDINGS_WARNING, "stamp would get the reports of bounce too" },
	{ "rights", "bounce", FINDINGS_WARNING, "rights would get the reports of bounce too" },
	{ "limit", "bounce", FINDINGS_WARNING, "limit would count the reports of bounce too" },
	{ "limit", "filter", FINDINGS_WARNING, "a message over the limit would cost the filter's time" },
	{ "qualify", "encrypt", FINDINGS_WARNING, "encrypt would look for the keys of addresses that are not complete" },
	{ "rewrite", "encrypt", FINDINGS_WARNING, "encrypt would look for the keys of addresses that rewrite replaces" },
	{ "copy", "encrypt", FINDINGS_WARNING, "each of the copies that encrypt makes would be copied" },
	{ "encrypt", "encode", FINDINGS_WARNING, "encode would change or refuse what is encrypted afterwards" },
	{ "encrypt", "dkim-sign", FINDINGS_WARNING, "encrypt would change what is signed" },
	{ "encrypt", "bounce", FINDINGS_WARNING, "encrypt would get the reports of bounce too" },
	{ "encrypt", "route", FINDINGS_WARNING, "what goes to the other chains of route is not encrypted" },
	{ "qualify", "milter", FINDINGS_WARNING, "qualify would change what the milter has signed" },
	{ "encode", "milter", FINDINGS_WARNING, "encode would change what the milter has signed" },
	{ "qualify", "dkim-sign", FINDINGS_WARNING, "qualify would change what is signed" },
	{ "encode", "dkim-sign", FINDINGS_WARNING, "encode would change what is signed" },
	{ "rewrite", "dkim-sign", FINDINGS_WARNING, "rewrite would change what is signed" },
	{ "rights", "route", FINDINGS_WARNING, "the other chains of route do not pass rights" },
	{ "copy", "route", FINDINGS_WARNING, "what goes to the other chains of route is not copied" },
	{ "rewrite", "bounce", FINDINGS_WARNING, "bounce fulfils the ORCPT that rewrite adds only behind it" },
	{ "copy", "bounce", FINDINGS_WARNING, "bounce fulfils the NOTIFY that copy adds only behind it" },
	{ "bounce", "route", FINDINGS_WARNING, "bounce reports on the results of all chains only in front of them" },
};

/* The stages in front of the one that is looked at, through all calls. */
struct path {
	const struct line_stage *stage[2 * LINE_STAGES];
	size_t n;
	bool starts; /* a message chain has begun */
	int depth;   /* calls: a circle of them must end */
};

static void
add(const struct lines *l, const struct line *line, enum findings_level level, const char *name, const char *what,
    const char *cure)
{
	const struct findings_one one = { level, line->place, name, "", what, cure };

	findings_add(l->findings, &one);
}

static void
look_at_stage(const struct lines *l, const struct line *line, const struct line_stage *s, const struct path *p)
{
	char text[400], cure[200];
	size_t i, k;

	if (!s->is_message && p->starts)
		add(l, line, FINDINGS_ERROR, s->name, "serves a session, but stands in the chain of a message",
		    "put it before submitd");
	if (s->is_message && !p->starts && p->n > 0 && !p->stage[p->n - 1]->is_message)
		add(l, line, FINDINGS_ERROR, s->name, "serves a message, but stands in the chain of a session",
		    "put it after submitd");
	for (i = 0; i < sizeof orders / sizeof *orders; i++) {
		const struct order *o = &orders[i];

		for (k = 0; k < p->n && strcmp(p->stage[k]->name, o->later) != 0; k++)
			;
		if (strcmp(o->first, s->name) != 0 || k == p->n)
			continue;
		snprintf(text, sizeof text, "stands after %s: %s", o->later, o->why);
		if (strcmp(o->first, o->later) == 0)
			snprintf(cure, sizeof cure, "leave one of them out");
		else
			snprintf(cure, sizeof cure, "put it before %s", o->later);
		add(l, line, o->level, s->name, text, cure);
	}
}

/* Returns the command line whose resident listens at path, or NULL. */
static const struct line *
listener(const struct lines *l, const char *path)
{
	size_t i;

	for (i = 0; *path && i < l->n; i++)
		if (strcmp(l->v[i].listen, path) == 0)
			return &l->v[i];
	return NULL;
}

static void follow(const struct lines *l, size_t at, struct path p);

/* Follow the chains that the n-th stage of a line starts beside it. */
static void
follow_chains(const struct lines *l, size_t at, size_t n, struct path p)
{
	size_t i;

	p.starts = true;
	for (i = 0; i < l->n; i++)
		if (l->v[i].parent == (long)at && l->v[i].parent_stages == n)
			follow(l, i, p);
}

/* Look at the order of a line's stages, after those in p, and go on with what it calls. */
static void
follow(const struct lines *l, size_t at, struct path p)
{
	const struct line *line = &l->v[at], *called = listener(l, line->calls);
	size_t i;

	if (++p.depth > LINE_STAGES)
		return;
	p.starts |= line->in_chain;
	for (i = 0; i < line->n && p.n < sizeof p.stage / sizeof *p.stage; i++) {
		look_at_stage(l, line, &line->stage[i], &p);
		p.stage[p.n++] = &line->stage[i];
		p.starts |= line->stage[i].starts || line->stage[i].is_message;
		follow_chains(l, at, i + 1, p);
	}
	if (!called && line->n > 0 && !line->ended && !line->foreign && line->stage[line->n - 1].is_message &&
	    (p.starts && (line->starts || line->in_chain || *line->listen || p.depth > 1)))
		add(l, line, FINDINGS_ERROR, line->stage[line->n - 1].name, "nothing follows, and it does not deliver",
		    "put an injector or spool at the end");
	if (line->checks && line->starts && line->parent < 0)
		add(l, line, FINDINGS_ERROR, line->stage[line->n - 1].name, "-n only checks the recipients: nothing is delivered",
		    "leave -n out");
	if (called)
		follow(l, (size_t)(called - l->v), p);
}

static bool
is_called(const struct lines *l, const char *path)
{
	size_t i;

	for (i = 0; i < l->n && strcmp(l->v[i].calls, path) != 0; i++)
		;
	return i < l->n;
}

/* A socket must be there, unless another of the command lines will make it. */
static void
look_at_call(const struct lines *l, const struct line *line)
{
	const struct findings_one one = { FINDINGS_ERROR, line->place,
		line->n > 0 ? line->stage[line->n - 1].name : "msa-check", line->calls, line->why, "" };
	struct findings_one missing = one;

	if (!*line->calls || !*line->why || listener(l, line->calls))
		return;
	if (strcmp(line->why, "No such file or directory") == 0)
		missing.cure = "start the resident that listens there, or correct the path";
	findings_add(l->findings, &missing);
}

/* Returns the uid of the user who runs the last stage of a line, or -1: that is not known. */
static long
uid_of(const struct line *line)
{
	struct user user;
	long uid;

	if (!line->user || user_find(&user, line->user) < 0)
		return -1;
	uid = (long)user.uid;
	user_free(&user);
	return uid;
}

/* A resident serves root, its own user and those of -A. */
static void
look_at_caller(const struct lines *l, const struct line *line)
{
	const struct line *called = listener(l, line->calls);
	long uid = uid_of(line);
	char text[400], cure[300];
	const char *name;
	size_t i;

	if (!called || called->n == 0 || uid <= 0 || uid == uid_of(called))
		return;
	if (called->groups) /* which groups the caller will have, only its start decides */
		return;
	for (i = 0; i < called->nallow; i++)
		if (called->allow[i] == uid)
			return;
	name = line->n > 0 ? line->stage[line->n - 1].name : "call";
	snprintf(text, sizeof text, "refuses the calls of %s, whose user is %.200s", name, line->user);
	snprintf(cure, sizeof cure, "give it -A %.200s", line->user);
	add(l, called, FINDINGS_ERROR, called->stage[0].name, text, cure);
}

/*
 * The connections of all tlsd that call a resident must find a worker there. authd has a connection only until the
 * client has logged in, and its next resident has it then.
 */
static void
look_at_workers(const struct lines *l, const struct line *server)
{
	const struct line *from;
	long wanted = 0;
	char text[200], cure[200];
	size_t i;

	if (server->workers == 0 || server->n == 0)
		return;
	for (i = 0; i < l->n; i++) {
		from = &l->v[i];
		if (from->connections > 0 && strcmp(from->calls, server->listen) == 0)
			wanted += strcmp(server->stage[0].name, "authd") == 0 && *server->calls ? from->early : from->connections;
	}
	for (i = 0; i < l->n; i++) {
		const struct line *middle = &l->v[i];
		size_t k;

		if (middle->n == 0 || strcmp(middle->stage[0].name, "authd") != 0 || strcmp(middle->calls, server->listen) != 0)
			continue;
		for (k = 0; k < l->n; k++)
			if (l->v[k].connections > 0 && *middle->listen && strcmp(l->v[k].calls, middle->listen) == 0)
				wanted += l->v[k].connections;
	}
	if (wanted <= server->workers)
		return;
	snprintf(text, sizeof text, "%ld workers at most, but tlsd lets %ld connections through", server->workers, wanted);
	snprintf(cure, sizeof cure, "give it -P 1:%ld, or tlsd a lower -m and -e", wanted);
	add(l, server, FINDINGS_WARNING, server->stage[0].name, text, cure);
}

void
rules_apply(struct lines *l)
{
	struct path none = { .n = 0 };
	size_t i, lines = 0;

	for (i = 0; i < l->n; i++)
		lines += l->v[i].parent < 0;
	for (i = 0; i < l->n; i++) {
		const struct line *line = &l->v[i];

		look_at_call(l, line);
		look_at_caller(l, line);
		look_at_workers(l, line);
		if (line->parent >= 0)
			continue;
		if (!*line->listen || line->connections > 0 || lines == 1 || !is_called(l, line->listen))
			follow(l, i, none);
		if (*line->listen && line->connections == 0 && lines > 1 && strcmp(line->listen, "0") != 0 &&
		    !is_called(l, line->listen) && line->n > 0) {
			const struct findings_one one = { FINDINGS_WARNING, line->place, line->stage[0].name, line->listen,
				"nothing calls this resident", "write call and this path where it belongs, or leave it out" };

			findings_add(l->findings, &one);
		}
	}
}
