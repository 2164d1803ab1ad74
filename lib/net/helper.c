/* ISC licence, see LICENSE. */
#include "net/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"

enum { FD_WORK = 3 };

/* The child: nothing but its own three descriptors and the log goes with it, least of all the verdict's. */
static void
become(char *const argv[], int end, int work)
{
	/* out of the way of the numbers that they get */
	int from = fcntl(end, F_DUPFD, FD_WORK + 1), given = fcntl(work, F_DUPFD, FD_WORK + 1);

	if (from < 0 || given < 0 || dup2(from, 0) < 0 || dup2(from, 1) < 0 || dup2(given, FD_WORK) < 0)
		return;
	os_close_from(FD_WORK + 1);
	os_signals_default();
	execvp(argv[0], argv);
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
		become(argv, fd[1], work);
		_exit(111); /* our end is closed: that is how the caller learns of it */
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
	while (clock_left(end) > 0) { /* the end of what it says is its own end */
		int r = poll(&p, 1, clock_left(end));

		if (r > 0 && recv(h->fd, part, sizeof part, MSG_DONTWAIT) <= 0)
			break;
		if (r == 0)
			break;
	}
	close(h->fd);
	kill(h->pid, SIGKILL); /* it stays a zombie until now, so the pid is its own */
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*h = (struct helper){ 0 };
}
