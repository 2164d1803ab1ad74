/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD with glibc: the time is what the test says, and stands still until the test says another. CLOCK_FILE
 * has the seconds since the test began, CLOCK_BEGIN the second of the epoch when that was. A wait ends when its time
 * has come by that clock. CLOCK_WAITS gets a line for each wait, "PROGRAM NUMBER MILLISECONDS", before it is waited: so
 * a test sees how long a program would wait, and need not wait. NUMBER counts a process's waits. CLOCK_FSYNC: fsync
 * takes until then.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_MS = 20 }; /* between two looks at the test's clock */

#define REAL(type, name, ...) \
	type (*real)(__VA_ARGS__); \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

/* Milliseconds since the test began. */
static long long
now(void)
{
	static long long last;
	const char *path = getenv("CLOCK_FILE");
	char text[32];
	double seconds;
	long n;
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) { /* without a descriptor, what was read last */
		n = syscall(SYS_read, fd, text, sizeof text - 1);
		syscall(SYS_close, fd);
		text[n > 0 ? n : 0] = '\0';
		if (sscanf(text, "%lf", &seconds) == 1)
			last = (long long)(seconds * 1000 + 0.5);
	}
	return last;
}

static long long
begin(void)
{
	const char *s = getenv("CLOCK_BEGIN");

	return s ? atoll(s) : 1000000000;
}

static void
note(long long wait_ms)
{
	static int number;
	const char *path = getenv("CLOCK_WAITS");
	char line[64];
	int fd;

	if (!path || wait_ms == 0)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	snprintf(line, sizeof line, "%.30s %d %lld\n", program_invocation_short_name, ++number, wait_ms);
	if (fd >= 0) {
		syscall(SYS_write, fd, line, strlen(line));
		syscall(SYS_close, fd);
	}
}

/* What is left of a wait that ends at end, in a slice; -1: for ever. */
static int
slice(long long end)
{
	long long left = end - now();

	return left < 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long long ms = now() + begin() * 1000;

	if (id != CLOCK_REALTIME && id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, ts);
	*ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	return 0;
}

time_t
time(time_t *t)
{
	time_t seconds = begin() + now() / 1000;

	if (t)
		*t = seconds;
	return seconds;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	(void)zone;
	*tv = (struct timeval){ time(NULL), now() % 1000 * 1000 };
	return 0;
}

int
poll(struct pollfd *p, nfds_t n, int wait_ms)
{
	long long end = now() + wait_ms;
	int r;
	REAL(int, poll, struct pollfd *, nfds_t, int);

	note(wait_ms);
	do
		r = real(p, n, wait_ms < 0 ? -1 : slice(end));
	while (r == 0 && now() < end);
	return r;
}

int
epoll_wait(int fd, struct epoll_event *e, int n, int wait_ms)
{
	long long end = now() + wait_ms;
	int r;
	REAL(int, epoll_wait, int, struct epoll_event *, int, int);

	note(wait_ms);
	do
		r = real(fd, e, n, wait_ms < 0 ? -1 : slice(end));
	while (r == 0 && now() < end);
	return r;
}

int
pselect(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict bad, const struct timespec *restrict wait,
    const sigset_t *restrict mask)
{
	long long wait_ms = wait ? wait->tv_sec * 1000 + wait->tv_nsec / 1000000 : -1, end = now() + wait_ms;
	int r;
	fd_set was[3];
	fd_set *set[3] = { in, out, bad };
	REAL(int, pselect, int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);

	note(wait_ms);
	for (r = 0; r < 3; r++)
		if (set[r])
			was[r] = *set[r];
	do {
		struct timespec part = { 0, (wait ? slice(end) : SLICE_MS) * 1000000L };
		for (r = 0; r < 3; r++)
			if (set[r])
				*set[r] = was[r];
		r = real(n, in, out, bad, &part, mask);
	} while (r == 0 && (!wait || now() < end));
	return r;
}

int
fsync(int file)
{
	const char *path = getenv("CLOCK_FILE"), *seconds = getenv("CLOCK_FSYNC");
	int fd = path && seconds ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_TRUNC | O_CLOEXEC) : -1;

	if (fd >= 0) {
		syscall(SYS_write, fd, seconds, strlen(seconds));
		syscall(SYS_close, fd);
	}
	return (int)syscall(SYS_fsync, file);
}

/* Short naps between two looks at something are real. */
int
nanosleep(const struct timespec *wait, struct timespec *left)
{
	REAL(int, nanosleep, const struct timespec *, struct timespec *);

	note(wait->tv_sec * 1000 + wait->tv_nsec / 1000000);
	return real(wait, left);
}

/* A socket with a time to wait is asked again by its owner, who looks at the clock then. */
int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static const struct timeval part = { 0, SLICE_MS * 1000 };
	REAL(int, setsockopt, int, int, int, const void *, socklen_t);

	if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO) && len == sizeof part)
		value = &part;
	return real(fd, level, name, value, len);
}
