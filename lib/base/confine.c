/* ISC licence, see LICENSE. */
#include "base/confine_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add_path(const char **list, size_t *n, struct confine *c, const char *path)
{
	if (*n < CONFINE_PATHS_MAX)
		list[(*n)++] = path;
	else
		c->overflow = true;
}

void
confine_reads(struct confine *c, const char *path)
{
	add_path(c->reads, &c->nreads, c, path);
}

void
confine_writes(struct confine *c, const char *directory)
{
	add_path(c->writes, &c->nwrites, c, directory);
}

void
confine_connects(struct confine *c, unsigned port)
{
	if (c->nports < CONFINE_PORTS_MAX)
		c->port[c->nports++] = port;
	else
		c->overflow = true;
}

enum confine_mode
confine_mode(void)
{
	const char *value = getenv("MSA_SANDBOX");

	if (!value || !*value)
		return CONFINE_USUAL;
	return strcmp(value, "require") == 0 ? CONFINE_REQUIRED : strcmp(value, "off") == 0 ? CONFINE_OFF : CONFINE_INVALID;
}

void
confine_free(struct confine *c)
{
	free(c->filter);
	*c = (struct confine){ 0 };
}

int
confine_now(struct confine *c, const char **why)
{
	enum confine_mode mode = confine_mode();
	const char *lacks = NULL;
	int r = 0;

	*why = "MSA_SANDBOX is neither require nor off";
	if (mode == CONFINE_INVALID)
		return -1;
	if (mode != CONFINE_OFF)
		r = confine_prepare(c, &lacks);
	if (r == 0 && lacks && mode == CONFINE_REQUIRED) {
		*why = lacks;
		r = -1;
	} else if (r < 0 || confine_enter(c) < 0) {
		*why = strerror(errno);
		r = -1;
	}
	confine_free(c);
	return r;
}

const char *
confine_directory_of(char directory[PATH_MAX], const char *file)
{
	const char *slash = strrchr(file, '/');

	snprintf(directory, PATH_MAX, "%.*s", slash && slash > file ? (int)(slash - file) : 1, slash ? file : ".");
	return directory;
}

#if !defined(__linux__) && !defined(__OpenBSD__)

int
confine_prepare(struct confine *c, const char **lacks)
{
	(void)c;
	*lacks = "pledge, Landlock, seccomp";
	return 0;
}

int
confine_enter(const struct confine *c)
{
	(void)c;
	return 0;
}

int
confine_parent(bool opens_files)
{
	(void)opens_files;
	return 0;
}

#endif
