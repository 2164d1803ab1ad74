/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create, closefrom, struct ucred, accept4 */
#endif
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#endif

#include "base/file.h"

enum {
	OS_COPY_CHUNK = 65536,
	OS_FD_MAX = 65536, /* descriptors to try if the system cannot list the open ones */
};

const char *
os_temporary(void)
{
	const char *directory = getenv("TMPDIR");

	return directory && *directory ? directory : "/tmp";
}

int
os_disk_file(int *rd, int *wr)
{
	char path[1024];
	int w, r, e;

	if (snprintf(path, sizeof path, "%s/msa.XXXXXX", os_temporary()) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	w = mkostemp(path, O_CLOEXEC);
	if (w < 0)
		return -1;
	r = open(path, O_RDONLY | O_CLOEXEC);
	e = errno;
	unlink(path);
	/* A process that has the descriptor may open the file again for reading, whatever its uid; only root for writing. */
	if (r >= 0 && fchmod(r, 0444) < 0) {
		e = errno;
		close(r);
		r = -1;
	}
	if (r < 0) {
		close(w);
		errno = e;
		return -1;
	}
	*rd = r;
	*wr = w;
	return 0;
}

int
os_memory_file(const char *name)
{
#ifdef MFD_ALLOW_SEALING
	return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
	int rd, wr;

	(void)name;
	if (os_disk_file(&rd, &wr) < 0)
		return -1;
	close(rd);
	return wr;
#endif
}

int
os_seal(int fd)
{
#ifdef F_ADD_SEALS
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
#else
	(void)fd;
	return 0;
#endif
}

/* The portable copy, through user space. */
static int
copy_plain(int out, int in, off_t off, off_t n)
{
	char chunk[OS_COPY_CHUNK];

	while (n > 0) {
		size_t part = n < OS_COPY_CHUNK ? (size_t)n : OS_COPY_CHUNK;

		if (file_read(in, chunk, part, off) < 0 || file_write(out, chunk, part) < 0)
			return -1;
		off += (off_t)part;
		n -= (off_t)part;
	}
	return 0;
}

int
os_copy(int out, int in, off_t off, off_t n)
{
#ifdef __linux__
	while (n > 0) {
		ssize_t put = sendfile(out, in, &off, (size_t)(n < 0x7ffff000 ? n : 0x7ffff000));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && (errno == EINVAL || errno == ENOSYS))
			break; /* sendfile does not support this kind of descriptor */
		if (put == 0)
			errno = EIO;
		if (put <= 0)
			return -1;
		n -= put;
	}
#endif
	return copy_plain(out, in, off, n);
}

ssize_t
os_copy_some(int out, int in, off_t *off, size_t n)
{
#ifdef __linux__
	return sendfile(out, in, off, n);
#else
	(void)out, (void)in, (void)off, (void)n;
	errno = ENOSYS;
	return -1;
#endif
}

int
os_reopen(int fd)
{
#ifdef __linux__
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
#else
	(void)fd;
	errno = ENOSYS;
	return -1;
#endif
}

int
os_sync_dir(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed, e;

	if (fd < 0)
		return -1;
	failed = fsync(fd) < 0 && errno != EINVAL; /* POSIX does not require fsync of a directory to work */
	e = errno;
	close(fd);
	errno = e;
	return failed ? -1 : 0;
}

int
os_sync_all(int fd)
{
#ifdef __linux__
	return syncfs(fd);
#else
	(void)fd;
	errno = ENOSYS;
	return -1;
#endif
}

int
os_random(void *buf, size_t n)
{
	unsigned char *p = buf;

	while (n > 0) {
		size_t part = n < 256 ? n : 256; /* getentropy's limit */

		if (getentropy(p, part) < 0)
			return -1;
		p += part;
		n -= part;
	}
	return 0;
}

int
os_undumpable(void)
{
#ifdef __linux__
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#else
	return 0;
#endif
}

int
os_end_with_parent(int number)
{
#ifdef __linux__
	return prctl(PR_SET_PDEATHSIG, number, 0, 0, 0);
#else
	(void)number;
	errno = ENOSYS;
	return -1;
#endif
}

void
os_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

int
os_fill_standard(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

void
os_close_from(int lowest)
{
	closefrom(lowest);
}

static void
close_if_inherited(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0 && !(flags & FD_CLOEXEC))
		close(fd);
}

void
os_close_inherited(int lowest)
{
	long max = sysconf(_SC_OPEN_MAX);
	int fd;
#ifdef __linux__
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (dir) { /* the limit may be a million, but few descriptors are open; dir's own is close-on-exec */
		while ((entry = readdir(dir)))
			if (entry->d_name[0] != '.' && (fd = atoi(entry->d_name)) >= lowest)
				close_if_inherited(fd);
		closedir(dir);
		return;
	}
#endif
	if (max < 0 || max > OS_FD_MAX)
		max = OS_FD_MAX;
	for (fd = lowest; fd < max; fd++)
		close_if_inherited(fd);
}

static void
signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGALRM);
}

int
os_signals(void)
{
#ifdef __linux__
	sigset_t set;

	signal_set(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
#else
	errno = ENOSYS; /* on BSD: kqueue's EVFILT_SIGNAL */
	return -1;
#endif
}

int
os_signal(int fd)
{
#ifdef __linux__
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
#else
	(void)fd;
	return 0;
#endif
}

void
os_signals_restore(void)
{
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void
os_signals_default(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
os_notify_take(struct os_notify *n, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");

	*n = (struct os_notify){ .fd = fd };
	if (path && strlen(path) < sizeof n->path)
		memcpy(n->path, path, strlen(path));
	unsetenv("NOTIFY_SOCKET");
}

int
os_ready(struct os_notify *n, const char *where)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(n->path));
	int s, r = 0;

	if (n->fd >= 0) {
		r = dprintf(n->fd, "%s\n", where) > 0 ? 0 : -1;
		close(n->fd);
		n->fd = -1;
	}
	if (!*n->path || strlen(n->path) >= sizeof sun.sun_path)
		return r;
	memcpy(sun.sun_path, n->path, strlen(n->path));
	if (sun.sun_path[0] == '@')
		sun.sun_path[0] = '\0'; /* Linux's abstract namespace */
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || sendto(s, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&sun, len) != 7)
		r = -1;
	if (s >= 0)
		close(s);
	return r;
}

int
os_waiter_open(struct os_waiter *w, int listener, int end)
{
	*w = (struct os_waiter){ listener, end, -1 };
#ifdef __linux__
	struct epoll_event call = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = OS_CALL };
	struct epoll_event over = { .events = EPOLLIN, .data.u32 = OS_END };

	w->fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->fd < 0 || epoll_ctl(w->fd, EPOLL_CTL_ADD, listener, &call) < 0 ||
	    epoll_ctl(w->fd, EPOLL_CTL_ADD, end, &over) < 0)
		return -1;
#endif
	return 0;
}

enum os_wait
os_wait(const struct os_waiter *w, int wait_ms)
{
	struct pollfd p[2] = { { .fd = w->end, .events = POLLIN }, { .fd = w->listener, .events = POLLIN } };

#ifdef __linux__
	struct epoll_event e[2];
	int n = epoll_wait(w->fd, e, 2, wait_ms), i;

	if (n >= 0) {
		for (i = 0; i < n; i++)
			if (e[i].data.u32 == OS_END)
				return OS_END;
		return n > 0 ? OS_CALL : OS_NOTHING;
	}
	if (errno == EINTR)
		return OS_CALL; /* the caller tries accept and waits again */
#endif
	if (poll(p, 2, wait_ms) < 0)
		return errno == EINTR ? OS_CALL : OS_END;
	return p[0].revents ? OS_END : p[1].revents ? OS_CALL : OS_NOTHING;
}

int
os_accept(int listener)
{
#ifdef SOCK_CLOEXEC
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
#else
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
#endif
}

int
os_peer_uid(int fd, uid_t *uid)
{
#ifdef SO_PEERCRED
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -1;
	*uid = cred.uid;
	return 0;
#else
	gid_t gid;

	return getpeereid(fd, uid, &gid);
#endif
}

static bool
has_any(const gid_t *has, size_t nhas, const gid_t *gid, size_t n)
{
	size_t i, k;

	for (i = 0; i < nhas; i++)
		for (k = 0; k < n; k++)
			if (has[i] == gid[k])
				return true;
	return false;
}

bool
os_peer_in(int fd, const gid_t *gid, size_t n)
{
#ifdef SO_PEERGROUPS
	struct ucred cred;
	gid_t few[64], *has = few;
	socklen_t len = sizeof cred;
	bool found;

	if (n == 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (has_any(&cred.gid, 1, gid, n))
		return true;
	len = sizeof few;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &len) < 0) {
		if (errno != ERANGE || !(has = malloc(len))) /* the kernel has set len to what it takes */
			return false;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, has, &len) < 0)
			len = 0;
	}
	found = has_any(has, len / sizeof *has, gid, n);
	if (has != few)
		free(has);
	return found;
#elif defined SO_PEERCRED
	struct ucred cred;
	socklen_t len = sizeof cred;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && has_any(&cred.gid, 1, gid, n);
#else
	uid_t uid;
	gid_t own;

	return getpeereid(fd, &uid, &own) == 0 && has_any(&own, 1, gid, n);
#endif
}
