/* ISC licence, see LICENSE. */
#include "stage/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "stage/spawn.h"

enum { TERM_GRACE_MS = 1000 };

bool
relay_move(struct relay_flow *f)
{
	ssize_t r;

	if (f->pos < f->len) {
		r = fdpair_write(f->to, f->data + f->pos, f->len - f->pos);
		if (r == FDPAIR_WAIT)
			return false;
		f->deaf |= r < 0;
		f->pos = r < 0 ? f->len : f->pos + (size_t)r;
		return true;
	}
	if (f->eof || f->deaf)
		return false;
	r = fdpair_read(f->from, f->data, sizeof f->data);
	if (r == FDPAIR_WAIT)
		return false;
	f->eof = r <= 0;
	f->pos = 0;
	f->len = r > 0 ? (size_t)r : 0;
	if (f->note)
		f->note(f->arg, f->data, f->len);
	return true;
}

bool
relay_is_over(const struct relay_flow *f)
{
	return (f->eof && f->pos == f->len) || f->deaf;
}

bool
relay_wait(struct relay_flow *up, struct relay_flow *down, int64_t deadline_ms)
{
	struct relay_flow *flow[2] = { up, down };
	struct pollfd p[2];
	nfds_t n = 0, i;
	int r;

	for (i = 0; i < 2; i++)
		if (flow[i]->pos < flow[i]->len)
			p[n++] = (struct pollfd){ .fd = flow[i]->to->out, .events = POLLOUT };
		else if (!flow[i]->eof && !flow[i]->deaf)
			p[n++] = (struct pollfd){ .fd = flow[i]->from->in, .events = POLLIN };
	r = poll(p, n, clock_left(deadline_ms));
	for (i = 0; r > 0 && i < n; i++)
		if (p[i].revents) {
			fdpair_event(up->from, p[i].fd, p[i].revents);
			fdpair_event(up->to, p[i].fd, p[i].revents);
		}
	return r != 0;
}

int
relay_start(const struct call *call, char *const argv[], pid_t *pid)
{
	int fd[2], e;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	*pid = spawn_child(call, argv, fd[1], fd[1], -1);
	e = errno;
	close(fd[1]);
	if (*pid >= 0)
		return fd[0];
	close(fd[0]);
	errno = e;
	return -1;
}

void
relay_finish(pid_t pid)
{
	if (!process_has_ended(pid, clock_ms() + RELAY_END_MS)) {
		kill(pid, SIGTERM);
		if (!process_has_ended(pid, clock_ms() + TERM_GRACE_MS))
			kill(pid, SIGKILL);
	}
	process_reap(pid);
}
