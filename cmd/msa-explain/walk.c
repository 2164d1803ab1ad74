/* ISC licence, see LICENSE. */
#include "walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "branch.h"
#include "changes.h"
#include "query.h"
#include "say.h"
#include "script.h"
#include "step.h"
#include "words.h"

enum { STAGES_MAX = 100 }; /* of one walk */

/* How a stage is explained that is not simply run. */
enum manner {
	MANNER_RUN,
	MANNER_LOOK,    /* run with -n, and hands on */
	MANNER_ASK,     /* delivers: run with -n */
	MANNER_SPOOL,   /* delivers: its directory is examined */
	MANNER_CALL,    /* a resident: not seen */
	MANNER_BRANCH,  /* its chains are walked through one after another */
};

static const struct {
	const char *name;
	enum manner manner;
	const char *sentence; /* NULL: none */
} manners[] = {
	{ "call", MANNER_CALL, NULL },
	{ "limit", MANNER_LOOK, "Runs with -n: it counts nothing." },
	{ "lmtp-inject", MANNER_ASK, "Runs with -n: it asks the next hop as far as RCPT, and sends no message." },
	{ "maildir-inject", MANNER_ASK, "Runs with -n: it judges the recipients, and writes nothing." },
	{ "milter", MANNER_RUN, "Asks its milter, which may count this message." },
	{ "policy", MANNER_RUN, "Asks its server, which may count this message." },
	{ "rights", MANNER_RUN, NULL },
	{ "route", MANNER_BRANCH, NULL },
	{ "smtp-inject", MANNER_ASK, "Runs with -n: it asks the next hop as far as RCPT, and sends no message." },
	{ "spool", MANNER_SPOOL, NULL },
};

/* A stage that is explained. */
struct stage_walk {
	struct walk *walk;
	struct say say;
	struct words words;
	struct call *call;               /* what it gets */
	const struct envelope *envelope;
	struct answers *answers;         /* of its recipients */
	struct answers given;            /* what the rest of the chain has answered; no replies: it was not asked */
	size_t calls;                    /* messages that it has handed on */
	bool titled;                     /* the title of what it does afterwards is printed */
	const char **why;
};

int
answers_open(struct answers *a, size_t n)
{
	*a = (struct answers){ .by = calloc(n, sizeof *a->by) };
	if (a->by && verdict_open(&a->verdict, n) == 0)
		return 0;
	free(a->by);
	a->by = NULL;
	errno = ENOMEM;
	return -1;
}

void *
walk_keep(struct walk *w, void *p)
{
	void **grown = p ? realloc(w->kept, (w->nkept + 1) * sizeof *grown) : NULL;

	if (!grown) {
		free(p);
		return NULL;
	}
	w->kept = grown;
	return w->kept[w->nkept++] = p;
}

void
walk_free(struct walk *w)
{
	while (w->nkept > 0)
		free(w->kept[--w->nkept]);
	free(w->kept);
	w->kept = NULL;
}

void
answers_free(struct answers *a)
{
	verdict_free(&a->verdict);
	free(a->by);
	*a = (struct answers){ .by = NULL };
}

/* Print the title of what a stage does with the answers, once. */
static void
title_again(struct stage_walk *s)
{
	if (s->calls > 0 && !s->titled)
		say_title(&s->say, "%s, after the answers", s->words.name);
	s->titled = true;
}

/* Remove the part " ms=N" of a log line, which is never the same. */
static void
cut_time(char *text)
{
	char *at = strstr(text, " ms="), *end;

	if (!at)
		return;
	end = at + 4 + strspn(at + 4, "0123456789");
	memmove(at, end, strlen(end) + 1);
}

/* A line of the stage's log, without the name and the ids, which the reader knows. */
static void
say_log(void *arg, const char *line)
{
	struct stage_walk *s = arg;
	char text[SAY_TEXT], copy[1024];
	size_t n = strlen(s->words.name), word;

	snprintf(copy, sizeof copy, "%s", line);
	cut_time(copy);
	line = copy;
	if (strncmp(line, s->words.name, n) == 0 && strncmp(line + n, ": ", 2) == 0) {
		line += n + 2;
		word = strcspn(line, " ");
		if (memchr(line, '/', word) && line[word]) /* SESSION/MESSAGE */
			line += word + 1;
	}
	title_again(s);
	say_line(&s->say, "Log: %s", say_text(text, line, strlen(line)));
}

/* Have every reply an enhanced status code, as it gets one on its way through a stage. */
static void
complete(struct verdict *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (!*v->reply[i].enhanced)
			snprintf(v->reply[i].enhanced, sizeof v->reply[i].enhanced, "%c.0.0",
			    (char)('0' + v->reply[i].code / 100));
}

/* Say what the stage has made of what it got. Returns 0, or -1 with errno set. */
static int
say_changes(const struct stage_walk *s, const struct say *say, const struct call *given, const struct envelope *e)
{
	int facts = changes_of_facts(say, &s->call->facts, &given->facts);
	int envelope = changes_of_envelope(say, s->envelope, e);
	int message = changes_of_message(say, s->call->in, given->in);

	if (message < 0)
		return -1;
	if (!facts && !envelope && !message)
		say_line(say, "Hands the message on as it is.");
	return 0;
}

/* Which stage has refused each recipient that the envelope does not name any more. */
static void
take_by(const struct stage_walk *s, const struct envelope *e, struct answers *a)
{
	size_t i;

	for (i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_REPLY)
			a->by[i] = e->nrcpt == s->envelope->nrcpt && s->envelope->rcpt[i].kind == ENVELOPE_REPLY ?
			    s->answers->by[i] : s->words.name;
}

/* The stage hands on an envelope that is not valid: the next stage would answer so. */
static int
hand_back(struct stage_walk *s, size_t n, struct verdict *v)
{
	size_t i;

	s->calls++;
	say_line(&s->say, "Hands on an envelope that is not valid.");
	if (verdict_open(v, n) < 0)
		return -1;
	for (i = 0; i < n; i++)
		reply_set(&v->reply[i], REPLY_LOCAL_ERROR, NULL);
	return 0;
}

/* The stage hands a message on: say what has changed, and go on with the rest of the chain. */
static int
hand_on(void *arg, struct call *given, size_t n, struct verdict *v)
{
	struct stage_walk *s = arg;
	const char *own = facts_get(&s->call->facts, "MSA_MESSAGE"), *its = facts_get(&given->facts, "MSA_MESSAGE");
	bool another = !its || strcmp(own, its) != 0; /* a report */
	struct say below = { s->say.depth + (another || s->calls > 0) };
	struct answers a = { .by = NULL };
	const struct envelope *e;
	size_t i;
	int r;

	given->log = s->call->log;
	e = call_envelope(given);
	*s->why = "the envelope that a stage handed on";
	if (!e && errno == EINVAL)
		return hand_back(s, n, v);
	if (!e || answers_open(&a, n) < 0)
		return -1;
	if (another || s->calls > 0)
		say_title(&s->say, "%s, %s", s->words.name, another ? "a message of its own" : "another part of the message");
	s->calls++;
	*s->why = "the message that a stage handed on";
	r = another ? 0 : say_changes(s, &s->say, given, e);
	if (r == 0) {
		take_by(s, e, &a);
		r = walk_chain(s->walk, below.depth, s->words.argv + s->words.own, given, &a, s->why);
	}
	complete(&a.verdict);
	if (r == 0)
		r = verdict_open(v, n);
	for (i = 0; r == 0 && i < n; i++)
		reply_copy(&v->reply[i], &a.verdict.reply[i]);
	s->titled = false;
	if (r == 0 && !another && s->calls == 1) /* what its verdict is compared with */
		s->given = a;
	else
		answers_free(&a);
	return r;
}

static const char *
address(const struct envelope *e, size_t i, char text[SAY_TEXT])
{
	const struct envelope_line *l = &e->rcpt[i];

	return say_text(text, l->path ? l->path : "?", l->path ? l->path_len : 1);
}

/* Say the replies of a stage; once, if they are alike. */
static void
say_replies(const struct say *s, const struct envelope *e, const struct verdict *v, const char *what)
{
	char line[REPLY_SHOWN_MAX], first[REPLY_SHOWN_MAX], text[SAY_TEXT], shown[SAY_TEXT];
	size_t i;

	reply_show(&v->reply[0], first);
	for (i = 1; i < v->n && strcmp(first, reply_show(&v->reply[i], line)) == 0; i++)
		;
	if (i == v->n && v->n > 1) {
		say_line(s, "%s all: %s", what, say_text(shown, first, strlen(first)));
		return;
	}
	for (i = 0; i < v->n; i++) {
		reply_show(&v->reply[i], line);
		say_line(s, "%s <%s>: %s", what, address(e, i, text), say_text(shown, line, strlen(line)));
	}
}

/* Say why a verdict is not taken as it is. */
static void
say_why(struct stage_walk *s, const struct verdict *v)
{
	if (!v->why)
		return;
	title_again(s);
	say_line(&s->say, "Its verdict does not count as it is: %s.", v->why);
}

/* A stage has ended: take its verdict, and say where it is not what the rest of the chain has answered. */
static void
take_verdict(struct stage_walk *s, struct verdict *v)
{
	char was[REPLY_SHOWN_MAX], is[REPLY_SHOWN_MAX], text[SAY_TEXT], from[SAY_TEXT], to[SAY_TEXT];
	struct answers *a = s->answers;
	size_t i;

	complete(v);
	say_why(s, v);
	if (s->calls == 0) {
		say_line(&s->say, "No later stage gets the message.");
		say_replies(&s->say, s->envelope, v, "Answers");
	}
	for (i = 0; i < v->n; i++) {
		bool same = s->given.verdict.n == v->n &&
		    strcmp(reply_show(&s->given.verdict.reply[i], was), reply_show(&v->reply[i], is)) == 0;

		a->by[i] = same ? s->given.by[i] : s->words.name;
		if (!same && s->given.verdict.n == v->n) {
			title_again(s);
			say_line(&s->say, "Changes the answer to <%s> from %s to %s", address(s->envelope, i, text),
			    say_text(from, was, strlen(was)), say_text(to, is, strlen(is)));
		}
	}
	verdict_free(&a->verdict);
	a->verdict = *v;
}

/* Run the stage; with_n: with the option -n. */
static int
run(struct stage_walk *s, bool with_n, bool last, struct verdict *v)
{
	static char n[] = "-n";
	struct step step = {
		.argv = calloc(s->words.own + 4, sizeof *step.argv), .last = last, .call = s->call, .nrcpt = s->envelope->nrcpt,
		.deadline_ms = s->walk->deadline_ms, .directory = s->walk->directory, .hand_on = hand_on, .line = say_log, .arg = s,
	};
	size_t i;
	int r;

	if (!step.argv)
		return -1;
	step.argv[step.n++] = s->words.argv[0];
	if (with_n)
		step.argv[step.n++] = n;
	for (i = 1; i < s->words.own; i++)
		step.argv[step.n++] = s->words.argv[i];
	r = step_run(&step, v, s->why);
	free(step.argv);
	return r;
}

static int
run_stage(struct stage_walk *s, bool with_n)
{
	struct verdict v = { 0 };

	if (run(s, with_n, !s->words.argv[s->words.own], &v) < 0)
		return -1;
	take_verdict(s, &v);
	return 0;
}

/* Give all recipients this reply who have none. */
static int
answer_all(struct stage_walk *s, enum reply reply, const char *text)
{
	struct answers *a = s->answers;
	size_t i;

	for (i = 0; i < a->verdict.n; i++)
		if (a->verdict.reply[i].code == 0) {
			if (reply_set(&a->verdict.reply[i], reply, text) < 0)
				return -1;
			a->by[i] = s->words.name;
		}
	return 0;
}

/* Take the replies of the recipients whom an earlier stage has refused. */
static int
take_refused(struct stage_walk *s)
{
	const char *text;
	size_t i, len;
	int code;
	bool last;

	for (i = 0; i < s->envelope->nrcpt; i++) {
		const struct envelope_line *l = &s->envelope->rcpt[i];

		if (l->kind == ENVELOPE_REPLY && reply_line(l->text, strlen(l->text), &code, &last, &text, &len) &&
		    reply_take(&s->answers->verdict.reply[i], code, text, len) < 0)
			return -1;
	}
	return 0;
}

/*
 * Without MSA_PARTIAL a stage that delivers reaches all or none: where one recipient is refused, the others get that
 * reply.
 */
static int
level(struct stage_walk *s)
{
	struct answers *a = s->answers;
	const struct reply_foreign *worst;
	struct reply_foreign all;
	bool mixed;
	size_t i;

	worst = verdict_reduce(&a->verdict, &mixed);
	if (!worst || !mixed || facts_get(&s->call->facts, "MSA_PARTIAL"))
		return 0;
	say_line(&s->say, "A recipient is refused, so no recipient would get the message.");
	if (reply_copy(&all, worst) < 0)
		return -1;
	for (i = 0; i < a->verdict.n; i++)
		if (a->verdict.reply[i].code < 300) {
			reply_foreign_free(&a->verdict.reply[i]);
			if (reply_copy(&a->verdict.reply[i], &all) < 0)
				break;
			a->by[i] = s->words.name;
		}
	reply_foreign_free(&all);
	return i < a->verdict.n ? -1 : 0;
}

/* A stage that delivers, and can look without doing it. */
static int
ask_stage(struct stage_walk *s)
{
	char line[REPLY_SHOWN_MAX], text[SAY_TEXT], shown[SAY_TEXT];
	struct verdict v = { 0 };
	size_t i;

	if (run(s, true, true, &v) < 0)
		return -1;
	complete(&v);
	say_why(s, &v);
	for (i = 0; i < v.n; i++) {
		if (s->envelope->rcpt[i].kind == ENVELOPE_REPLY)
			continue;
		s->answers->by[i] = s->words.name;
		reply_show(&v.reply[i], line);
		say_line(&s->say, "Answers <%s>: %s", address(s->envelope, i, text), say_text(shown, line, strlen(line)));
	}
	verdict_free(&s->answers->verdict);
	s->answers->verdict = v;
	return level(s);
}

static int
spool_stage(struct stage_walk *s)
{
	const char *directory = s->words.argv[s->words.own - 1];

	if (*s->words.fault) {
		say_line(&s->say, "Cannot take the message: %s.", s->words.fault);
		return answer_all(s, REPLY_LOCAL_ERROR, NULL);
	}
	say_line(&s->say, "Is not run. Its user can write to %s, so the message would be spooled there.", directory);
	if (take_refused(s) < 0)
		return -1;
	return answer_all(s, REPLY_OK, "Spooled") < 0 ? -1 : level(s);
}

/* A program that decides, and that is not run: what it would answer is not known, and counts as accepted. */
static int
hide(struct stage_walk *s, const char *name)
{
	s->walk->hidden = name;
	return take_refused(s) < 0 ? -1 : answer_all(s, REPLY_OK, NULL);
}

static int
call_stage(struct stage_walk *s)
{
	if (*s->words.calls_not || *s->words.fault) {
		say_line(&s->say, "Cannot be called: %s.", *s->words.calls_not ? s->words.calls_not : s->words.fault);
		return answer_all(s, REPLY_LOCAL_ERROR, NULL);
	}
	if (s->walk->at_rcpt) {
		say_line(&s->say, "Is called, as at each RCPT. What happens in its process cannot be seen from here.");
		return run_stage(s, false);
	}
	say_line(&s->say, "Is not called: the chain goes on in another process, which cannot be seen from here.");
	return hide(s, s->words.argv[1]);
}

/* The last program, which may deliver. */
static int
last_stage(struct stage_walk *s)
{
	struct buf text = { 0 };
	char **words;

	if (s->walk->run_last && !s->walk->at_rcpt) {
		say_line(&s->say, "Runs, as -x says.");
		return run_stage(s, false);
	}
	words = script_words(s->words.path, &text);
	if (words && walk_keep(s->walk, text.p)) {
		say_line(&s->say, "Is a script of one command, which is explained in its place.");
		return walk_keep(s->walk, words) ? walk_chain(s->walk, s->say.depth, words, s->call, s->answers, s->why) : -1;
	}
	if (!words)
		buf_free(&text);
	else
		free(words);
	if (s->walk->at_rcpt)
		return run_stage(s, false);
	say_line(&s->say, "Is not run: it stands last, so it may deliver the message. With -x it runs.");
	return hide(s, s->words.name);
}

static int
explain(struct stage_walk *s)
{
	const char *next = s->words.argv[s->words.own];
	size_t i, known = sizeof manners / sizeof *manners;

	if (!*s->words.path) {
		say_line(&s->say, "Cannot be started: %s.", s->words.fault);
		return answer_all(s, REPLY_LOCAL_ERROR, NULL);
	}
	if (s->words.is_session) {
		say_line(&s->say, "Serves sessions, so it cannot stand in the chain of a message.");
		return answer_all(s, REPLY_LOCAL_ERROR, NULL);
	}
	for (i = 0; s->words.is_ours && i < known && strcmp(manners[i].name, s->words.name) != 0; i++)
		;
	if (!s->words.is_ours || (i == known && s->words.ends))
		return next ? run_stage(s, false) : last_stage(s);
	if (i < known && manners[i].sentence)
		say_line(&s->say, "%s", manners[i].sentence);
	query_table(&s->say, &s->words, s->call, s->envelope);
	switch (i < known ? manners[i].manner : MANNER_RUN) {
	case MANNER_ASK:
		return ask_stage(s);
	case MANNER_SPOOL:
		return spool_stage(s);
	case MANNER_CALL:
		return call_stage(s);
	case MANNER_BRANCH:
		return branch_walk(s->walk, &s->say, &s->words, s->call, s->envelope, s->answers, s->why);
	case MANNER_LOOK:
		return run_stage(s, true);
	case MANNER_RUN:
		break;
	}
	return run_stage(s, false);
}

int
walk_chain(struct walk *w, int depth, char **argv, struct call *call, struct answers *a, const char **why)
{
	struct stage_walk s = { .walk = w, .say.depth = depth, .call = call, .answers = a, .why = why };
	int r;

	argv = words_inner(argv);
	s.envelope = call_envelope(call);
	*why = "memory";
	if (!s.envelope)
		return -1;
	words_read(&s.words, argv);
	say_words(&s.say, argv, s.words.own, "");
	fflush(stdout);
	if (++w->stages > STAGES_MAX) { /* a script that names itself */
		say_line(&s.say, "Is not looked at: it is the %dth stage.", STAGES_MAX + 1);
		r = answer_all(&s, REPLY_LOCAL_ERROR, NULL);
	} else
		r = explain(&s);
	answers_free(&s.given);
	words_free(&s.words);
	return r;
}
