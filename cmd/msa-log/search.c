/* ISC licence, see LICENSE. */
/* The commands show and find: which stories are printed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "find.h"
#include "msa/chain.h"
#include "sequence.h"
#include "show.h"
#include "story.h"

struct search {
	const struct command_conf *conf;
	struct stories stories;
	struct find find;
	const char *id; /* show: of a session or a message */
	size_t found;
};

/* Returns true if the line is of this session or message, or names it: a spool's message, a report. */
static bool
names(const struct logline *l, const char *id)
{
	const struct logline_text *spooled = logline_get(l, "id"), *report = logline_get(l, "report");

	return logline_is(&l->session, id) || (l->message.n && logline_is(&l->message, id)) ||
	    (spooled && logline_is(spooled, id)) || (report && logline_is(report, id));
}

static int
show_line(const struct logline *l, void *ctx)
{
	struct search *w = ctx;
	struct story *s = stories_add(&w->stories, l);

	if (!s)
		return errno ? -1 : 0;
	if (!s->wanted && names(l, w->id)) {
		s->wanted = true;
		w->stories.wanted++;
		w->found++;
		if (l->message.n && !logline_is(&l->session, w->id))
			memcpy(s->only, l->message.p, l->message.n); /* it is zeroed */
	}
	if (s->wanted && w->conf->input.follow)
		show_new_lines(s, *s->only ? s->only : NULL);
	return 0;
}

static void
end_shown(struct story *s, void *ctx)
{
	const struct search *w = ctx;
	const char *only = *s->only ? s->only : NULL;

	if (!s->wanted || w->conf->input.follow)
		return;
	if (w->conf->graphic)
		sequence_svg(s, only);
	else if (w->conf->draw)
		sequence_text(s, only);
	else
		show_timeline(s, only);
}

static int
find_next(const struct logline *l, void *ctx)
{
	struct search *w = ctx;
	struct story *s = stories_add(&w->stories, l);

	if (!s)
		return errno ? -1 : 0;
	if (!w->conf->input.follow) {
		s->hit |= find_line(&w->find, l) != 0;
		return 0;
	}
	if (!s->hit && find_line(&w->find, l) != 0 && find_story(&w->find, s)) {
		s->hit = true;
		w->found++;
	}
	if (s->hit)
		show_new_lines(s, NULL);
	return 0;
}

static void
end_found(struct story *s, void *ctx)
{
	struct search *w = ctx;

	if (s->hit && !w->conf->input.follow)
		w->found += find_print(&w->find, s, w->conf->timeline);
}

/* Read the input. Returns an exit code. */
static int
search(struct search *w, int (*line)(const struct logline *l, void *ctx), void (*end)(struct story *s, void *ctx))
{
	unsigned long long lines, others;
	struct input in;
	int r;

	w->stories.end = end;
	w->stories.ctx = w;
	if (w->conf->input.follow)
		setvbuf(stdout, NULL, _IOLBF, 0);
	r = command_open(&in, &w->conf->input);
	if (r == CHAIN_DONE)
		r = command_read(&in, line, w);
	stories_end(&w->stories);
	input_count(&in, &lines, &others);
	if (r == CHAIN_DONE && lines == 0)
		command_others(others);
	if (input_close(&in) < 0 && r == CHAIN_DONE)
		r = command_complain(CHAIN_LATER, "journalctl has failed");
	if (fflush(stdout) != 0 && r == CHAIN_DONE)
		r = command_complain(CHAIN_LATER, "standard output:");
	return r == CHAIN_DONE && w->found == 0 ? COMMAND_NONE : r;
}

int
command_show(struct command_conf *conf)
{
	struct search *w;
	int r;

	if (strcmp(conf->word[0], "-") == 0) /* all lines without a session would be kept, and none could end */
		return command_complain(CHAIN_MISUSE, "-: no id");
	w = calloc(1, sizeof *w);
	if (!w)
		return command_complain(CHAIN_LATER, "memory:");
	w->conf = conf;
	w->id = conf->word[0];
	command_files(conf, conf->word + 1);
	r = search(w, show_line, end_shown);
	free(w);
	return r;
}

int
command_find(struct command_conf *conf)
{
	struct search *w = calloc(1, sizeof *w);
	char **word = conf->word;
	int r;

	if (!w)
		return command_complain(CHAIN_LATER, "memory:");
	w->conf = conf;
	for (; *word && strcmp(*word, "--") != 0 && strchr(*word, '='); word++)
		if (find_add(&w->find, *word) < 0) {
			free(w);
			return command_complain(CHAIN_MISUSE, errno == E2BIG ? "too many conditions" : "%s: not a condition", *word);
		}
	if (w->find.n == 0) {
		free(w);
		return command_complain(CHAIN_MISUSE, "what is looked for? Give conditions: user=alice@example.net");
	}
	command_files(conf, word + (*word && strcmp(*word, "--") == 0));
	r = search(w, find_next, end_found);
	free(w);
	return r;
}
