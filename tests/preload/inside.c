/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD with glibc: code inside a stage, as whoever has taken it over would have it. It acts in the process
 * whose name is TRY_IN (with TRY_FORKED: in each child that this process forks), once: when the process reads or
 * waits for the first time after it has entered its sandbox (with TRY_OPEN: after it has made itself undumpable, where
 * there is none).
 *
 * TRY is a list of attempts with commas between, each "NAME" or "NAME:ARGUMENT". Each attempt writes "inside: NAME
 * yes" or "inside: NAME no ERRNO" to fd 2, or the process ends in it. The attempts are numbered from 0; TRY_FROM is
 * the first. All processes share the number: when one has ended, its successor goes on with the next attempt.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { ATTEMPTS_MAX = 32 };

static int forked, n;
static pid_t armed; /* the process that tries */
static char *attempt[ATTEMPTS_MAX];
static atomic_int *next;

__attribute__((constructor)) static void
prepare(void)
{
	const char *in = getenv("TRY_IN"), *try = getenv("TRY"), *from = getenv("TRY_FROM");
	char *word;

	if (!in || !try || strcmp(in, program_invocation_short_name) != 0)
		return;
	for (word = strtok(strdup(try), ","); word && n < ATTEMPTS_MAX; word = strtok(NULL, ","))
		attempt[n++] = word;
	next = mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	atomic_store(next, from ? atoi(from) : 0);
}

static long
reach(int family, int type, const void *address, socklen_t len)
{
	long fd = syscall(SYS_socket, family, type, 0);

	return fd < 0 || !address ? fd : syscall(SYS_connect, fd, address, len);
}

static long
reach_tcp(const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };

	return reach(AF_INET, SOCK_STREAM, &sin, sizeof sin);
}

static long
reach_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strncpy(sun.sun_path, path, sizeof sun.sun_path - 1);
	return reach(AF_UNIX, SOCK_STREAM, &sun, sizeof sun);
}

static long
run(void)
{
	static char *const argv[] = { "sh", "-c", "echo 'inside: exec yes' >&2", NULL };
	static char *const envp[] = { NULL };

	return syscall(SYS_execve, "/bin/sh", argv, envp);
}

static long
make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long
split(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return pid;
}

static long
act(const char *name, const char *argument)
{
	long r = -1;

	errno = EINVAL;
	if (strcmp(name, "read") == 0 || strcmp(name, "proc") == 0 || strcmp(name, "random") == 0)
		r = syscall(SYS_openat, AT_FDCWD, argument, O_RDONLY);
	else if (strcmp(name, "make") == 0 || strcmp(name, "tmp") == 0)
		r = syscall(SYS_openat, AT_FDCWD, argument, O_WRONLY | O_CREAT, 0600);
	else if (strcmp(name, "tcp") == 0 || strcmp(name, "port") == 0)
		r = reach_tcp(argument);
	else if (strcmp(name, "udp") == 0)
		r = reach(AF_INET, SOCK_DGRAM, NULL, 0);
	else if (strcmp(name, "netlink") == 0)
		r = reach(AF_NETLINK, SOCK_RAW, NULL, 0);
	else if (strcmp(name, "unix") == 0)
		r = reach_unix(argument);
	else if (strcmp(name, "fork") == 0)
		r = split();
	else if (strcmp(name, "kill") == 0)
		r = syscall(SYS_kill, atoi(argument), 0);
	else if (strcmp(name, "ptrace") == 0)
		r = syscall(SYS_ptrace, PTRACE_SEIZE, atoi(argument), 0, 0);
	else if (strcmp(name, "userns") == 0)
		r = syscall(SYS_unshare, CLONE_NEWUSER);
	else if (strcmp(name, "code") == 0)
		r = make_code();
	else if (strcmp(name, "exec") == 0)
		r = run();
	return r;
}

static void
try(void)
{
	int i, e = errno;

	if (!armed || armed != (pid_t)syscall(SYS_getpid))
		return;
	armed = 0;
	while ((i = atomic_fetch_add(next, 1)) < n) {
		char *colon = strchr(attempt[i], ':');

		if (colon)
			*colon = '\0';
		if (act(attempt[i], colon ? colon + 1 : "") < 0)
			dprintf(STDERR_FILENO, "inside: %s no %d\n", attempt[i], errno);
		else
			dprintf(STDERR_FILENO, "inside: %s yes\n", attempt[i]);
		if (colon)
			*colon = ':';
	}
	errno = e;
}

#define REAL(type, name, ...) \
	type (*real)(__VA_ARGS__); \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

int
prctl(int option, ...)
{
	unsigned long a[4];
	va_list ap;
	int i;

	va_start(ap, option);
	for (i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == (getenv("TRY_OPEN") ? PR_SET_DUMPABLE : PR_SET_SECCOMP) && next &&
	    forked == (getenv("TRY_FORKED") != NULL))
		armed = getpid();
	return (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

pid_t
fork(void)
{
	pid_t pid;
	REAL(pid_t, fork, void);

	pid = real();
	if (pid == 0)
		forked++;
	return pid;
}

ssize_t
read(int fd, void *p, size_t size)
{
	try();
	return syscall(SYS_read, fd, p, size);
}

ssize_t
pread(int fd, void *p, size_t size, off_t off)
{
	try();
	return syscall(SYS_pread64, fd, p, size, off);
}

ssize_t
recv(int fd, void *p, size_t size, int flags)
{
	try();
	return syscall(SYS_recvfrom, fd, p, size, flags, NULL, NULL);
}

int
poll(struct pollfd *p, nfds_t count, int wait_ms)
{
	try();
	return (int)syscall(SYS_poll, p, count, wait_ms);
}

int
epoll_wait(int fd, struct epoll_event *e, int max, int wait_ms)
{
	try();
	return (int)syscall(SYS_epoll_wait, fd, e, max, wait_ms);
}
