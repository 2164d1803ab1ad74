/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD: something happens at a moment that a test cannot hit from outside. MOMENT_TERM: SIGTERM comes just
 * before the first pselect(). MOMENT_GONE: the file of this path is removed just before the first flock().
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/select.h>
#include <unistd.h>

/* Returns the variable's value the first time. */
static const char *
once(const char *name)
{
	static int seen;

	return getenv(name) && !seen++ ? getenv(name) : NULL;
}

int
pselect(int n, fd_set *in, fd_set *out, fd_set *other, const struct timespec *wait, const sigset_t *mask)
{
	int (*real)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);

	*(void **)&real = dlsym(RTLD_NEXT, "pselect");
	if (once("MOMENT_TERM"))
		kill(getpid(), SIGTERM);
	return real(n, in, out, other, wait, mask);
}

int
flock(int fd, int how)
{
	int (*real)(int, int);
	const char *path = once("MOMENT_GONE");

	*(void **)&real = dlsym(RTLD_NEXT, "flock");
	if (path)
		unlink(path);
	return real(fd, how);
}
