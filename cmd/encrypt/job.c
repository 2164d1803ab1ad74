/* ISC licence, see LICENSE. */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "base/process.h"

enum {
	PART = 65536,    /* octets read at once */
	GRACE_MS = 1000, /* between SIGTERM and SIGKILL */
	FILES = 1024,    /* descriptors of a child */
};

/* The child is to end, or its parent has: its programs end with it. */
static void
end_group(int number)
{
	(void)number;
	kill(0, SIGKILL);
}

/* Close all but these two and fd 2. Returns 0, or -1 with errno set. */
static int
close_others(int out, int keep)
{
	int most = out > keep ? out : keep, fd;

	for (fd = 0; fd <= most; fd++)
		if (fd != out && fd != keep && fd != STDERR_FILENO)
			close(fd);
	os_close_from(most > STDERR_FILENO ? most + 1 : STDERR_FILENO + 1);
	return os_fill_standard();
}

/* In the child: what its programs say goes to said. Never returns. */
static void
become(int (*work)(const void *arg, int out), const void *arg, int out, int said, int keep, pid_t parent)
{
	struct rlimit files;

	setpgid(0, 0);
	os_signals_default();
	signal(SIGTERM, end_group);
	os_end_with_parent(SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	if (dup2(said, STDERR_FILENO) < 0 || setenv("LC_ALL", "C", 1) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    close_others(out, keep) < 0)
		_exit(EXIT_FAILURE);
	if (files.rlim_cur > FILES) { /* gpgme closes all numbers up to this before it starts a program */
		files.rlim_cur = FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	_exit(work(arg, out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Read the child's output to its end. Returns 0, or -1 with errno set. */
static int
collect(int fd, int64_t deadline_ms, job_take *take, void *to)
{
	char *part = malloc(PART);
	ssize_t r = part ? 1 : -1;

	while (r > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int left = clock_left(deadline_ms), n = left > 0 ? poll(&p, 1, left) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ETIMEDOUT;
		r = n > 0 ? read(fd, part, PART) : -1;
		if (r < 0 && n > 0 && errno == EINTR)
			r = 1;
		else if (r > 0 && take(to, part, (size_t)r) < 0)
			r = -1;
	}
	free(part);
	return r < 0 ? -1 : 0;
}

/* Keep the end of what was said, in one line. */
static void
listen_to(struct job *j, int said)
{
	off_t size = file_size(said);
	size_t n = size < JOB_WHY_MAX ? (size_t)(size > 0 ? size : 0) : JOB_WHY_MAX, i;

	if (file_read(said, j->why, n, size - (off_t)n) < 0)
		n = 0;
	while (n > 0 && j->why[n - 1] == '\n')
		n--;
	j->why[n] = '\0';
	for (i = 0; i < n; i++)
		if (j->why[i] == '\n' || j->why[i] == '\0')
			j->why[i] = ' ';
}

/* Wait for the child whose output is fd. Returns as job_run. */
static int
attend(struct job *j, pid_t pid, int fd, int said, job_take *take, void *to)
{
	int r = collect(fd, j->deadline_ms, take, to), e, status;

	if (r == 0 && !process_has_ended(pid, j->deadline_ms)) {
		errno = ETIMEDOUT;
		r = -1;
	}
	e = errno;
	process_end_group(pid, clock_ms() + (r < 0 ? GRACE_MS : 0)); /* before its pid can be another's */
	status = process_reap(pid);
	listen_to(j, said);
	if (r == 0 && status != 0) {
		e = EPROTO;
		r = -1;
	}
	errno = e;
	return r;
}

int
job_run(struct job *j, int (*work)(const void *arg, int out), const void *arg, int keep, job_take *take, void *to)
{
	const pid_t parent = getpid();
	int fd[2] = { -1, -1 }, said = os_memory_file("said"), r = -1, e;
	pid_t pid = -1;

	j->why[0] = '\0';
	if (said >= 0 && pipe(fd) == 0 && fcntl(fd[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd[1], F_SETFD, FD_CLOEXEC) == 0)
		pid = fork();
	e = errno;
	if (pid == 0)
		become(work, arg, fd[1], said, keep, parent);
	if (fd[1] >= 0)
		close(fd[1]);
	errno = e;
	if (pid > 0) {
		setpgid(pid, pid); /* in the parent too: the group may have to be ended before the child has run */
		r = attend(j, pid, fd[0], said, take, to);
	}
	e = errno;
	if (fd[0] >= 0)
		close(fd[0]);
	if (said >= 0)
		close(said);
	errno = e;
	return r;
}
