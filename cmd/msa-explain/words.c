/* ISC licence, see LICENSE. */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/program.h"
#include "stage/ask.h"

char **
words_inner(char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	return argv[1] && strcmp(slash ? slash + 1 : argv[0], "inline") == 0 ? argv + 1 : argv;
}

const char *
words_option(const struct words *w, char letter)
{
	size_t i;

	for (i = w->noptions; i > 0; i--)
		if (w->option[i - 1].letter == letter)
			return w->option[i - 1].value;
	return NULL;
}

/* Keep the first fault: what follows may only come from it. */
static void
blame(struct words *w, const char *word, const char *what)
{
	if (!*w->fault)
		snprintf(w->fault, sizeof w->fault, "%s%s%s", word, *word ? ": " : "", what);
}

/* Take one record of the answer, cut into fields. */
static void
take(void *arg, char *const field[ASK_FIELDS])
{
	struct words *w = arg;
	const char *key = field[0];
	long long n;

	if (strcmp(key, "error") == 0)
		blame(w, field[2], field[3]);
	else if (strcmp(key, "stage") == 0)
		w->is_session = strcmp(field[2], "session") == 0;
	else if (strcmp(key, "next") == 0 && number_parse(field[1], 1, INT_MAX, &n) == 0)
		w->own = (size_t)n;
	else if (strcmp(key, "ends") == 0)
		w->ends = true;
	else if (strcmp(key, "calls") == 0) {
		w->calls = true;
		w->calls_not = field[2];
	} else if (strcmp(key, "option") == 0 && w->noptions < WORDS_OPTIONS)
		w->option[w->noptions++] = (struct words_option){ *field[1], field[2] };
}

/* The first line that the program wrote to fd 2, without its name. The usage comes there. */
static void
take_errors(struct words *w, char *text)
{
	size_t n = strlen(w->name);

	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, w->name, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		text += n + 2;
	if (*text)
		blame(w, "", text);
}

/* Ask a program that can be asked. */
static void
question(struct words *w)
{
	const struct ask a = { .path = w->path, .argv = w->argv, .in_chain = true, .options = true };
	struct buf errors = { 0 };
	const char *why;
	int code = ask(&a, &w->answer, &errors, &why);

	if (code >= 0)
		ask_records(w->answer.p, take, w);
	if (errors.len > 0)
		take_errors(w, errors.p);
	if (code < 0)
		blame(w, "", why);
	else if (code > 0)
		blame(w, "", "ends with an error");
	buf_free(&errors);
}

/* Returns how many of the words of a program that cannot be asked are its own, if the next one is a program of ours. */
static size_t
guess(char **argv)
{
	char path[PATH_MAX];
	size_t n;

	for (n = 1; argv[n]; n++)
		if (*argv[n] != '-' && program_locate(argv[n], getenv("PATH"), path) == 0 && ask_can(path))
			break;
	return n;
}

void
words_read(struct words *w, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	size_t n = 0;

	*w = (struct words){ .argv = argv, .name = slash ? slash + 1 : argv[0], .calls_not = "" };
	if (program_locate(argv[0], getenv("PATH"), w->path) < 0) {
		blame(w, "", errno == ENOENT ? "no such program" : strerror(errno));
		*w->path = '\0';
		w->own = guess(argv);
		return;
	}
	w->is_ours = ask_can(w->path);
	if (!w->is_ours) {
		w->own = guess(argv);
		return;
	}
	question(w);
	while (argv[n])
		n++;
	if (w->calls && strcmp(w->name, "call") != 0) { /* the words end with "call PATH" */
		w->ends = false;
		w->own = n > 2 ? n - 2 : n;
	} else if (w->own == 0 || w->own > n) /* nothing follows */
		w->own = n;
}

void
words_free(struct words *w)
{
	buf_free(&w->answer);
}
