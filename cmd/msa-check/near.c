/* ISC licence, see LICENSE. */
#include "near.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/program.h"
#include "stage/ask.h"

enum {
	LENGTH = 32,   /* octets of a name that is looked at */
	CHANGES = 2,   /* the most between a word and the name that was meant */
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Returns how many letters must be added, removed, replaced, or swapped with the next one to make b of a. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[3][LENGTH + 1], n = strlen(a), m = strlen(b), i, j;

	if (n > LENGTH || m > LENGTH)
		return LENGTH;
	for (j = 0; j <= m; j++)
		row[0][j] = j;
	for (i = 1; i <= n; i++) {
		size_t *now = row[i % 3], *before = row[(i + 2) % 3], *twice = row[(i + 1) % 3];

		now[0] = i;
		for (j = 1; j <= m; j++) {
			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], twice[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

/* Look in a directory, whose name has n octets. *best is the distance of name. */
static void
look(const char *dir, size_t n, const char *word, char *name, size_t size, size_t *best)
{
	char path[PATH_MAX];
	struct dirent *e;
	size_t d;
	DIR *open;

	snprintf(path, sizeof path, "%.*s", n ? (int)n : 1, n ? dir : ".");
	open = opendir(path);
	while (open && (e = readdir(open))) {
		d = distance(word, e->d_name);
		if (d > *best || (d == *best && (!*name || strcmp(e->d_name, name) >= 0)))
			continue;
		if (snprintf(path, sizeof path, "%.*s/%s", n ? (int)n : 1, n ? dir : ".", e->d_name) >= (int)sizeof path ||
		    access(path, X_OK) < 0 || !ask_can(path))
			continue;
		*best = d;
		snprintf(name, size, "%s", e->d_name);
	}
	if (open)
		closedir(open);
}

const char *
near_find(const char *word, const char *path, char *name, size_t size)
{
	size_t best = strlen(word) > 2 * CHANGES ? CHANGES : strlen(word) / 3, n;

	*name = '\0';
	if (strchr(word, '/') || best == 0)
		return NULL;
	if (*program_directory())
		look(program_directory(), strlen(program_directory()), word, name, size, &best);
	for (; path; path = path[n] ? path + n + 1 : NULL) {
		n = strcspn(path, ":");
		look(path, n, word, name, size, &best);
	}
	return *name ? name : NULL;
}
