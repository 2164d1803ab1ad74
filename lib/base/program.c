/* ISC licence, see LICENSE. */
#include "base/program.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/program_impl.h"

const char program_version[] = INSTALLED_VERSION;

static const char default_path[] = "/bin:/usr/bin";

static const char directory[] = INSTALLED_LIBEXEC; /* of the words; empty: not installed, so PATH alone counts */

/* Returns 0 if path is a program, or -1 with errno set. */
static int
is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || access(path, X_OK) < 0)
		return -1;
	if (S_ISREG(st.st_mode))
		return 0;
	errno = EACCES;
	return -1;
}

/*
 * Returns 0 if the directory, of n octets, has the program word, or -1 with errno set. path, with room for PATH_MAX
 * octets, becomes the program's. n 0: the current directory.
 */
static int
has_program(const char *dir, size_t n, const char *word, char *path)
{
	if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, dir, n ? "/" : "", word) < PATH_MAX)
		return is_program(path);
	errno = ENAMETOOLONG;
	return -1;
}

int
program_locate(const char *word, const char *path, char *found)
{
	int e = ENOENT;
	size_t n;

	if (strchr(word, '/'))
		return has_program("", 0, word, found);
	if (*directory && has_program(directory, strlen(directory), word, found) == 0)
		return 0;
	for (path = path ? path : default_path;; path += n + 1) {
		n = strcspn(path, ":");
		if (has_program(path, n, word, found) == 0)
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			e = errno;
		if (!path[n])
			break;
	}
	errno = e;
	return -1;
}

int
program_find(const char *word, const char *path)
{
	char found[PATH_MAX];

	return program_locate(word, path, found);
}

const char *
program_directory(void)
{
	return directory;
}

/* Returns true if the directory of the words is an element of path. */
static bool
is_in(const char *path)
{
	size_t n, len = strlen(directory);

	for (;; path += n + 1) {
		n = strcspn(path, ":");
		if (n == len && memcmp(path, directory, n) == 0)
			return true;
		if (!path[n])
			return false;
	}
}

/* Put the directory of the words at the end of PATH. Returns 0, or -1 with errno set. */
static int
extend_path(void)
{
	const char *path = getenv("PATH");
	char *longer;
	size_t len;
	int r;

	if (!path)
		path = default_path;
	if (is_in(path))
		return 0;
	len = strlen(path) + strlen(directory) + 2;
	longer = malloc(len);
	if (!longer)
		return -1;
	snprintf(longer, len, "%s:%s", path, directory);
	r = setenv("PATH", longer, 1);
	free(longer);
	return r;
}

int
program_exec(char *const argv[])
{
	char path[PATH_MAX];

	if (*directory && extend_path() < 0)
		return -1;
	if (*directory && !strchr(argv[0], '/') &&
	    snprintf(path, sizeof path, "%s/%s", directory, argv[0]) < (int)sizeof path)
		execv(path, argv);
	return execvp(argv[0], argv);
}

bool
program_answers(const char *name, const char *usage, int argc, char *const argv[])
{
	if (argc != 2)
		return false;
	if (strcmp(argv[1], "--version") == 0)
		printf("%s (ucspi-msa) %s\n", name, program_version);
	else if (strcmp(argv[1], "--help") == 0)
		printf("usage: %s%s%s\nThe page is %s(8). chain(7) says how programs make a chain.\n", name, *usage ? " " : "", usage,
		    name);
	else
		return false;
	return true;
}

int
program_complain(const char *name, int code, const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	fprintf(stderr, "%s: ", name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, fmt[strlen(fmt) - 1] == ':' ? " %s\n" : "\n", strerror(e));
	return code;
}
