/* ISC licence, see LICENSE. */
#include "findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The cure for a text that a stage, the system or a library has for what is wrong; %s is the stage's name. */
static const struct {
	const char *what, *cure;
} cures[] = {
	{ "No such file or directory", "make it, or correct the path" },
	{ "Permission denied", "let the user who runs %s read it, and write to it if it is a directory" },
	{ "Not a directory", "make a directory there, or correct the path" },
	{ "Is a directory", "name a file" },
	{ "not a cdb", "make it with msa-table" },
	{ "not a user store", "make it with msa-passwd" },
	{ "no such user", "make the user, or correct the name" },
	{ "open to everybody", "chmod o= makes it private" },
	{ "everybody may write to it", "chmod o-w" },
	{ "its group may write to it", "chmod g-w" },
	{ "it belongs to another user", "chown it to the user who runs %s" },
	{ "nobody listens there", "start the resident that listens there" },
	{ "not a socket", "name the socket of a resident" },
	{ "does not fit", "name the key with which the certificate was made" },
	{ "MSA_MESSAGE is not set", "put submit in front, or give msa-check -m for a part of a chain" },
	{ "damaged", "make it anew" },
};

static void
write_cure(char *to, size_t n, const struct findings_one *one)
{
	size_t i;

	for (i = 0; i < sizeof cures / sizeof *cures; i++)
		if (strstr(one->what, cures[i].what)) {
			const char *name = strstr(cures[i].cure, "%s");
			size_t before = name ? (size_t)(name - cures[i].cure) : strlen(cures[i].cure);

			snprintf(to, n, "%.*s%s%s", (int)before, cures[i].cure, name ? one->name : "", name ? name + 2 : "");
			return;
		}
	snprintf(to, n, "see the page %s(8)", one->name);
}

/* Append a part of a finding that is not empty, after what stands between it and the part before. */
static void
put(char *line, size_t size, const char *between, const char *part)
{
	size_t len = strlen(line);

	if (*part)
		snprintf(line + len, size - len, "%s%s", between, part);
}

void
findings_add(struct findings *f, const struct findings_one *one)
{
	static const char *const levels[] = { "error", "warning", "note" };
	char line[4096] = "", cure[2048];
	char **grown;
	size_t i;

	if (one->level == FINDINGS_NOTE && f->quiet)
		return;
	snprintf(cure, sizeof cure, "%s", one->cure);
	if (!*cure && one->level != FINDINGS_NOTE)
		write_cure(cure, sizeof cure, one);
	put(line, sizeof line, "", levels[one->level]);
	put(line, sizeof line, ": ", one->place);
	put(line, sizeof line, ": ", one->name);
	put(line, sizeof line, ": ", one->word);
	put(line, sizeof line, ": ", one->what);
	put(line, sizeof line, one->level == FINDINGS_NOTE ? ": " : "; ", cure);
	for (i = 0; i < f->lines; i++)
		if (strcmp(f->line[i], line) == 0)
			return;
	puts(line);
	f->n += one->level != FINDINGS_NOTE;
	grown = realloc(f->line, (f->lines + 1) * sizeof *grown);
	if (!grown)
		return; /* then it may be printed twice */
	f->line = grown;
	f->line[f->lines] = strdup(line);
	f->lines += f->line[f->lines] != NULL;
}

void
findings_free(struct findings *f)
{
	while (f->lines > 0)
		free(f->line[--f->lines]);
	free(f->line);
	*f = (struct findings){ .n = f->n };
}
