/* ISC licence, see LICENSE. */
#include "base/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/usertable.h"
#include "unit.h"

/* A fresh look at the file: t becomes it, or refuses it. */
static void
look_again(struct table *t, const char *path)
{
	struct table fresh;

	if (table_open(&fresh, path) < 0)
		table_refuse(t, &fresh);
	else
		table_replace(t, &fresh);
	printf("%s\n", fresh.error ? strerror(fresh.error) : "taken");
}

/*
 * Open the table at path, then for each word: "look" looks at the file again; "few" does so without a descriptor; any
 * other is a command for the shell. Prints whether the table changed.
 */
static int
changes(struct table *t, const char *path, char **word)
{
	struct rlimit few = { 3, 0 }, was;

	if (table_open(t, path) < 0 || getrlimit(RLIMIT_NOFILE, &was) < 0)
		return 111;
	few.rlim_max = was.rlim_max;
	for (; *word; word++)
		if (strcmp(*word, "look") == 0)
			look_again(t, path);
		else if (strcmp(*word, "few") == 0) {
			setrlimit(RLIMIT_NOFILE, &few);
			look_again(t, path);
			setrlimit(RLIMIT_NOFILE, &was);
		} else if (system(*word) == 0)
			printf("%s\n", table_changed(t) ? "changed" : "the same");
	table_close(t);
	return 0;
}

/*
 * [-l | -u] file key ...: prints the value of each key. -l: keys in lower case; -u: a table of users, "" is nobody.
 * -c file word ...: what becomes of it when the file changes.
 */
int
unit_table(int argc, char **argv)
{
	const char *how = argc > 1 && *argv[1] == '-' ? argv[1] : "";
	int i = *how ? 2 : 1, r;
	const char *value;
	struct usertable users = { .what = "" };
	struct table *t = &users.table;
	size_t len;

	if (strcmp(how, "-c") == 0 && i < argc)
		return changes(t, argv[i], argv + i + 1);
	if (i >= argc || table_open(t, argv[i]) < 0) {
		printf("cannot open: %s\n", strerror(errno));
		return 111;
	}
	while (++i < argc) {
		if (strcmp(how, "-u") == 0)
			r = usertable_get(&users, *argv[i] ? argv[i] : NULL, &value, &len);
		else
			r = (strcmp(how, "-l") == 0 ? table_get_lower : table_get)(t, argv[i], strlen(argv[i]), &value, &len);
		if (r > 0)
			printf("%s: [%.*s]\n", argv[i], (int)len, value);
		else
			printf("%s: %s\n", argv[i], r < 0 ? strerror(errno) : "not there");
	}
	table_close(t);
	return 0;
}
