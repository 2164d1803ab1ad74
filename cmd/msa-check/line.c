/* ISC licence, see LICENSE. */
#include "line.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "base/program.h"
#include "base/user.h"
#include "near.h"
#include "stage/ask.h"

enum {
	LINES_MAX = 10000,
};

struct line *
lines_add(struct lines *l, char **argv, const char *place)
{
	struct line *grown = l->n < LINES_MAX ? realloc(l->v, (l->n + 1) * sizeof *grown) : NULL;

	if (!grown)
		return NULL;
	l->v = grown;
	grown += l->n;
	*grown = (struct line){ .argv = argv, .place = strdup(place), .parent = -1 };
	if (!grown->place)
		return NULL;
	l->n++;
	return grown;
}

void
lines_free(struct lines *l)
{
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		for (k = 0; l->v[i].parent >= 0 && l->v[i].argv[k]; k++)
			free(l->v[i].argv[k]);
		if (l->v[i].parent >= 0)
			free(l->v[i].argv);
		free(l->v[i].place);
		free(l->v[i].user);
	}
	free(l->v);
}

/* The answer of one program, while it is read. */
struct reading {
	struct lines *lines;
	size_t i;             /* of the line; lines->v may move */
	const char *name;     /* the word that was asked */
	long next;            /* the next program's word; 0: none was named */
	bool found;           /* something was wrong */
	bool unknown_option;  /* which may have an argument, so the next word may not be the next program */
	struct line *chain;   /* the chain beside ours whose words come; NULL: none */
	size_t words;         /* it has got */
};

static void
add(struct lines *l, size_t i, enum findings_level level, const char *name, const char *word, const char *what,
    const char *cure)
{
	const struct findings_one one = { level, l->v[i].place, name, word, what, cure };

	findings_add(l->findings, &one);
}

static long
number(const char *s)
{
	long long n;

	return number_parse(s, 0, INT_MAX, &n) == 0 ? (long)n : 0;
}

static void
take_stage(struct line *l, const char *name, const char *kind)
{
	if (l->n == LINE_STAGES)
		return;
	l->stage[l->n].starts = false;
	snprintf(l->stage[l->n].name, sizeof l->stage[l->n].name, "%s", name);
	l->stage[l->n].is_message = strcmp(kind, "message") == 0 ||
	    (strcmp(kind, "either") == 0 && (l->starts || l->in_chain || (l->n > 0 && l->stage[l->n - 1].is_message)));
	l->n++;
	l->ended = false;
}

/* One stage of a session takes a uid; the next ones cannot take another. */
static void
take_user(struct reading *r, const char *name)
{
	struct line *l = &r->lines->v[r->i];

	if (l->user_given && strcmp(l->user, name) != 0) {
		add(r->lines, r->i, FINDINGS_ERROR, l->stage[l->n - 1].name, "-U", "a stage before it has taken another uid for good",
		    "give -U to one stage only, beside tlsd");
		return;
	}
	free(l->user);
	l->user = strdup(name);
	l->user_given = l->user != NULL;
}

/* A chain beside ours begins: it runs with our user, and it is in a message chain. */
static void
take_chain(struct reading *r, const char *label)
{
	struct line *chain;
	char place[1024];
	const char *before = r->lines->v[r->i].place;

	snprintf(place, sizeof place, "%s%s%s", before, *before ? ": " : "", label);
	chain = lines_add(r->lines, NULL, place);
	if (chain)
		chain->argv = calloc(1, sizeof *chain->argv);
	r->chain = chain && chain->argv ? chain : NULL;
	if (!r->chain) {
		r->lines->n -= chain != NULL;
		return;
	}
	chain->parent = (long)r->i;
	chain->parent_stages = r->lines->v[r->i].n;
	chain->in_chain = true;
	if (r->lines->v[r->i].user)
		chain->user = strdup(r->lines->v[r->i].user);
	r->words = 0;
}

static void
take_word(struct reading *r, const char *word)
{
	char **grown = r->chain ? realloc(r->chain->argv, (r->words + 2) * sizeof *grown) : NULL;

	if (!grown)
		return;
	r->chain->argv = grown;
	grown[r->words] = strdup(word);
	if (grown[r->words])
		grown[++r->words] = NULL;
}

/* The shell must know the program, or have a word of that name itself. Nothing is run. */
static void
take_program(struct reading *r, const char *word)
{
	static char sh[] = "sh", c[] = "-c", look[] = "command -v -- \"$0\" >/dev/null 2>&1";
	char *argv[] = { sh, c, look, (char *)word, NULL };
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		program_exec(argv);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status != 0)
		add(r->lines, r->i, FINDINGS_ERROR, r->name, word, "no such program", "install it, or correct the word");
}

/* Take one record of an answer, cut into fields. */
static void
take(void *arg, char *const field[ASK_FIELDS])
{
	struct reading *r = arg;
	struct line *l = &r->lines->v[r->i];
	const char *key = field[0];

	if (strcmp(key, "error") == 0 && l->n > 0 && strncmp(field[3], "MSA_MESSAGE is not set", 22) == 0)
		return; /* rules.c says which stage is missing in front */
	if (strcmp(key, "error") == 0 || strcmp(key, "warning") == 0) {
		add(r->lines, r->i, *key == 'e' ? FINDINGS_ERROR : FINDINGS_WARNING, field[1], field[2], field[3], field[4]);
		r->found = true;
		r->unknown_option |= strcmp(field[3], "no such option") == 0;
	} else if (strcmp(key, "stage") == 0)
		take_stage(l, field[1], field[2]);
	else if (strcmp(key, "starts") == 0 && l->n > 0)
		l->starts = l->stage[l->n - 1].starts = true;
	else if (strcmp(key, "checks") == 0)
		l->checks = true;
	else if (strcmp(key, "next") == 0)
		r->next = number(field[1]);
	else if (strcmp(key, "ends") == 0)
		l->ended = true;
	else if (strcmp(key, "calls") == 0) {
		snprintf(l->calls, sizeof l->calls, "%s", field[1]);
		snprintf(l->why, sizeof l->why, "%s", field[2]);
	} else if (strcmp(key, "chain") == 0)
		take_chain(r, field[1]);
	else if (strcmp(key, "word") == 0)
		take_word(r, field[1]);
	else if (strcmp(key, "program") == 0)
		take_program(r, field[1]);
	else if (strcmp(key, "listen") == 0) {
		if (l->n > 1)
			add(r->lines, r->i, FINDINGS_ERROR, l->stage[l->n - 1].name, "-l", "a resident cannot be started in a chain",
			    "start the resident on its own, and write call and its path here");
		snprintf(l->listen, sizeof l->listen, "%s", field[1]);
	} else if (strcmp(key, "user") == 0)
		take_user(r, field[1]);
	else if (strcmp(key, "allow") == 0 && l->nallow < LINE_ALLOW)
		l->allow[l->nallow++] = number(field[1]);
	else if (strcmp(key, "group") == 0)
		l->groups = true;
	else if (strcmp(key, "workers") == 0)
		l->workers = number(field[1]);
	else if (strcmp(key, "connections") == 0)
		l->connections = number(field[1]);
	else if (strcmp(key, "early") == 0)
		l->early = number(field[1]);
}

/* What a program wrote to fd 2 is wrong too. The usage is a cure, and comes after a reason or alone. */
static void
take_errors(struct reading *r, char *text)
{
	char *line, *end;
	size_t n = strlen(r->name);

	for (line = text; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		if (strncmp(line, "usage: ", 7) == 0) {
			if (!r->found)
				add(r->lines, r->i, FINDINGS_ERROR, r->name, "", "words are missing, or do not fit together", line);
			r->found = true;
			continue;
		}
		if (strncmp(line, r->name, n) == 0 && strncmp(line + n, ": ", 2) == 0)
			line += n + 2;
		if (*line)
			add(r->lines, r->i, FINDINGS_ERROR, r->name, "", line, "");
		r->found = true;
	}
}

/* Ask the program at path, whose words are argv. Returns how many of them are its own, or 0: that is not known. */
static size_t
ask_program(struct reading *r, const char *path, char **argv)
{
	struct line *l = &r->lines->v[r->i];
	const char *slash = strrchr(argv[0], '/'), *why;
	const struct ask a = {
		.path = path,
		.argv = argv,
		.in_chain = l->starts || l->in_chain || (l->n > 0 && l->stage[l->n - 1].is_message),
		.network = r->lines->network,
		.user = l->user,
	};
	struct buf answer = { 0 }, errors = { 0 };
	int code;

	r->name = slash ? slash + 1 : argv[0];
	code = ask(&a, &answer, &errors, &why);
	if (code >= 0)
		ask_records(answer.p, take, r);
	if (errors.len > 0)
		take_errors(r, errors.p);
	if (r->found && r->next == 0)
		r->lines->v[r->i].foreign = true; /* whether something follows is not known */
	if (code < 0)
		add(r->lines, r->i, FINDINGS_ERROR, r->name, "", why, "run it by hand");
	else if (code > 0 && !r->found)
		add(r->lines, r->i, FINDINGS_ERROR, r->name, "", "ends with an error", "run it by hand");
	buf_free(&answer);
	buf_free(&errors);
	return r->next > 0 ? (size_t)r->next : 0;
}

/* Returns the first of the words after argv[0] that is a program of ours, or NULL. */
static char **
find_ours(char **argv)
{
	char path[PATH_MAX];

	while (*++argv)
		if (**argv != '-' && program_locate(*argv, getenv("PATH"), path) == 0 && ask_can(path))
			return argv;
	return NULL;
}

/* A word that is no program, or none of ours: go on with the next program of ours. Returns it, or NULL. */
static char **
skip(struct lines *l, size_t i, char **argv, bool exists, int error)
{
	char **next = find_ours(argv), **w;
	struct line *line = &l->v[i];
	char text[1024], name[256];
	const char *before = line->n > 0 ? line->stage[line->n - 1].name : *line->place ? "" : "msa-check", *near;
	size_t n = 0;

	if (!exists) {
		near = error == ENOENT ? near_find(*argv, getenv("PATH"), name, sizeof name) : NULL;
		snprintf(text, sizeof text, near ? "did you mean %s?" : "install it, or correct the word", near);
		add(l, i, FINDINGS_ERROR, before, *argv, error == ENOENT ? "no such program" : strerror(error), text);
		line->foreign = true;
		return next;
	}
	*text = '\0';
	for (w = argv + 1; *w && w != next && n < sizeof text; w++)
		n += (size_t)snprintf(text + n, sizeof text - n, " %s", *w);
	add(l, i, FINDINGS_NOTE, *argv, "", *text ? "not a program of ours, so these words are not checked" :
	    "not a program of ours", *text ? text + 1 : "");
	line->foreign = true;
	return next;
}

void
lines_walk(struct lines *l, size_t i)
{
	char **w = l->v[i].argv, **next;
	struct reading r = { .name = NULL };
	char path[PATH_MAX];
	struct user user;
	bool exists;
	size_t own;

	if (l->v[i].user && user_find(&user, l->v[i].user) < 0) {
		add(l, i, FINDINGS_ERROR, "msa-check", l->v[i].user, "no such user", "");
		free(l->v[i].user);
		l->v[i].user = NULL;
	} else if (l->v[i].user)
		user_free(&user);
	while (w && *w) {
		exists = program_locate(*w, getenv("PATH"), path) == 0;
		if (!exists && r.unknown_option && (next = find_ours(w))) { /* it was the option's argument */
			w = next;
			r.unknown_option = false;
			continue;
		}
		if (!exists || !ask_can(path)) {
			w = skip(l, i, w, exists, errno);
			continue;
		}
		l->v[i].foreign = false;
		r = (struct reading){ .lines = l, .i = i };
		own = ask_program(&r, path, w);
		if (own > 0)
			w += own;
		else if (r.found && !l->v[i].ended && !*l->v[i].calls) /* its words could not be read to their end */
			w = find_ours(w);
		else
			break;
	}
}
