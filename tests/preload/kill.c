/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD with glibc: the process whose name is KILL_IN is killed before its call number KILL_AT of the
 * functions below, which are its system calls. Where KILL_FORKED is set it is not that process but each child that it
 * forks, with a count of its own. Before it dies it makes the file KILL_MARK, with the name of the call.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static long calls;
static int forked;

static void
count(const char *name)
{
	const char *in = getenv("KILL_IN"), *at = getenv("KILL_AT"), *mark = getenv("KILL_MARK");
	long fd;

	if (!in || !at || strcmp(in, program_invocation_short_name) != 0 || forked != (getenv("KILL_FORKED") != NULL) ||
	    ++calls != atol(at))
		return;
	if (mark) {
		fd = syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT, 0600);
		syscall(SYS_write, fd, name, strlen(name));
		syscall(SYS_close, fd);
	}
	syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	for (;;)
		;
}

#define REAL(type, name, ...) \
	count(#name); \
	type (*real)(__VA_ARGS__); \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

int
open(const char *path, int flags, ...)
{
	REAL(int, open, const char *, int, ...);
	return real(path, flags, 0600); /* nothing here makes files by open */
}

int
openat(int dir, const char *path, int flags, ...)
{
	REAL(int, openat, int, const char *, int, ...);
	return real(dir, path, flags, 0600); /* all files of a spool are made so */
}

int
close(int fd)
{
	REAL(int, close, int);
	return real(fd);
}

ssize_t
read(int fd, void *p, size_t n)
{
	REAL(ssize_t, read, int, void *, size_t);
	return real(fd, p, n);
}

ssize_t
pread(int fd, void *p, size_t n, off_t off)
{
	REAL(ssize_t, pread, int, void *, size_t, off_t);
	return real(fd, p, n, off);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	REAL(ssize_t, write, int, const void *, size_t);
	return real(fd, p, n);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
	return real(fd, p, n, off);
}

ssize_t
sendfile(int out, int in, off_t *off, size_t n)
{
	REAL(ssize_t, sendfile, int, int, off_t *, size_t);
	return real(out, in, off, n);
}

int
fchmod(int fd, mode_t mode)
{
	REAL(int, fchmod, int, mode_t);
	return real(fd, mode);
}

int
fsync(int fd)
{
	REAL(int, fsync, int);
	return real(fd);
}

int
renameat(int from, const char *old, int to, const char *new)
{
	REAL(int, renameat, int, const char *, int, const char *);
	return real(from, old, to, new);
}

int
unlinkat(int dir, const char *path, int flags)
{
	REAL(int, unlinkat, int, const char *, int);
	return real(dir, path, flags);
}

int
mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(int, mkdirat, int, const char *, mode_t);
	return real(dir, path, mode);
}

int
mkfifoat(int dir, const char *path, mode_t mode)
{
	REAL(int, mkfifoat, int, const char *, mode_t);
	return real(dir, path, mode);
}

int
flock(int fd, int how)
{
	REAL(int, flock, int, int);
	return real(fd, how);
}

int
pipe(int fd[2])
{
	REAL(int, pipe, int[2]);
	return real(fd);
}

int
poll(struct pollfd *p, nfds_t n, int wait_ms)
{
	REAL(int, poll, struct pollfd *, nfds_t, int);
	return real(p, n, wait_ms);
}

int
waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	REAL(int, waitid, idtype_t, id_t, siginfo_t *, int);
	return real(type, id, info, options);
}

pid_t
waitpid(pid_t pid, int *status, int options)
{
	REAL(pid_t, waitpid, pid_t, int *, int);
	return real(pid, status, options);
}

pid_t
fork(void)
{
	pid_t pid;
	REAL(pid_t, fork, void);

	pid = real();
	if (pid == 0) {
		forked++; /* a grandchild, which becomes the next program, is nobody's business */
		calls = 0;
	}
	return pid;
}
