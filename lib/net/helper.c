/* ISC licence, see LICENSE. */
#include "net/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/process.h"
#include "base/program.h"

enum { FD_WORK = 3 };

/* It gets its three descriptors and the log, and no other: a verdict ends when its descriptor closes. */
void
helper_become(char *const argv[], int end, int work)
{
	/* above the numbers that they get below */
	int from = fcntl(end, F_DUPFD, FD_WORK + 1), given = fcntl(work, F_DUPFD, FD_WORK + 1);

	if (from < 0 || given < 0 || dup2(from, 0) < 0 || dup2(from, 1) < 0 || dup2(given, FD_WORK) < 0)
		return;
	os_close_from(FD_WORK + 1);
	os_signals_default();
	program_exec(argv);
}

int
helper_start(struct helper *h, char *const argv[], int work)
{
	int fd[2], e;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return -1;
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd[1], F_SETFD, FD_CLOEXEC) < 0)
		goto fail;
	h->pid = fork();
	if (h->pid == 0) {
		helper_become(argv, fd[1], work);
		_exit(111); /* the caller sees the end of the socket */
	}
	if (h->pid < 0)
		goto fail;
	close(fd[1]);
	h->fd = fd[0];
	return 0;
fail:
	e = errno;
	h->pid = 0;
	close(fd[0]);
	close(fd[1]);
	errno = e;
	return -1;
}

void
helper_stop(struct helper *h, int grace_ms)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	int64_t end = clock_ms() + grace_ms;
	char part[4096];

	if (h->pid == 0)
		return;
	shutdown(h->fd, SHUT_WR);
	while (clock_left(end) > 0) { /* the helper ends when its output ends */
		int r = poll(&p, 1, clock_left(end));

		if (r > 0 && recv(h->fd, part, sizeof part, MSG_DONTWAIT) <= 0)
			break;
		if (r == 0)
			break;
	}
	close(h->fd);
	if (h->pid > 0) {
		kill(h->pid, SIGKILL); /* the helper was not reaped yet, so the pid is still its own */
		process_reap(h->pid);
	}
	*h = (struct helper){ 0 };
}
