/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD: something happens at a moment that a test cannot hit from outside. MOMENT_TERM: SIGTERM comes just
 * before the first pselect(). MOMENT_GONE: the file of this path is removed just before the first flock().
 * MOMENT_BEGUN: setpgid() of a child comes when the child has become another program. MOMENT_SHORT: the first send()
 * takes an octet less than it was given.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
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

/* What the process is, or was. */
static void
name_of(pid_t pid, char name[64])
{
	char path[40];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	n = readlink(path, name, 63);
	name[n > 0 ? n : 0] = '\0';
}

int
setpgid(pid_t pid, pid_t group)
{
	int (*real)(pid_t, pid_t);
	char its[64], ours[64];

	*(void **)&real = dlsym(RTLD_NEXT, "setpgid");
	name_of(getpid(), ours);
	if (pid != 0 && getenv("MOMENT_BEGUN"))
		do {
			usleep(1000);
			name_of(pid, its);
		} while (strcmp(its, ours) == 0);
	return real(pid, group);
}

ssize_t
send(int fd, const void *data, size_t n, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int);

	*(void **)&real = dlsym(RTLD_NEXT, "send");
	return real(fd, data, once("MOMENT_SHORT") ? n - 1 : n, flags);
}
