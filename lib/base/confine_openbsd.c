/* ISC licence, see LICENSE. */
#include "base/confine_impl.h"

#ifdef __OpenBSD__

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

static const struct {
	unsigned may;
	const char *promises;
} promises[] = {
	{ CONFINE_ACCEPT, " unix recvfd" },
	{ CONFINE_TEMPORARY, " rpath wpath cpath fattr" },
	{ CONFINE_LOCAL, " unix sendfd" },
};

int
confine_prepare(struct confine *c, const char **lacks)
{
	*lacks = NULL;
	c->on = true;
	tzset();
	errno = E2BIG;
	return c->overflow ? -1 : 0;
}

/* As on Linux: another file may take the name. */
static int
unveil_around(const char *file)
{
	char directory[PATH_MAX], real[PATH_MAX];
	struct stat st;
	int r;

	if (stat(file, &st) == 0 && S_ISCHR(st.st_mode))
		return unveil(file, "r");
	r = unveil(confine_directory_of(directory, file), "r");
	if (r == 0 && realpath(file, real))
		r = unveil(confine_directory_of(directory, real), "r");
	return r;
}

int
confine_enter(const struct confine *c)
{
	const struct rlimit none = { 0, 0 };
	char all[200] = "stdio";
	size_t i;
	int r = 0;

	if (!c->on)
		return 0;
	setrlimit(RLIMIT_CORE, &none);
	for (i = 0; i < sizeof promises / sizeof *promises; i++)
		if (c->may & promises[i].may)
			strlcat(all, promises[i].promises, sizeof all);
	strlcat(all, c->nreads > 0 ? " rpath" : "", sizeof all);
	strlcat(all, c->nwrites > 0 ? " rpath wpath cpath dpath fattr flock" : "", sizeof all);
	strlcat(all, c->nports > 0 ? " inet" : "", sizeof all);
	if (c->may & CONFINE_TEMPORARY)
		r = unveil(os_temporary(), "rwc");
	for (i = 0; r == 0 && i < c->nreads; i++)
		r = unveil_around(c->reads[i]);
	for (i = 0; r == 0 && i < c->nwrites; i++)
		r = unveil(c->writes[i], "rwc");
	return r < 0 || pledge(all, NULL) < 0 ? -1 : 0;
}

int
confine_parent(bool opens_files)
{
	(void)opens_files;
	return 0;
}

#endif
