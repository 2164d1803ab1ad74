/* ISC licence, see LICENSE. */
/* For LD_PRELOAD: while the file EPOLL_FULL exists, the kernel has no room for the watch of a listening socket. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && event->events & EPOLLEXCLUSIVE && access(getenv("EPOLL_FULL"), F_OK) == 0) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}
