/* ISC licence, see LICENSE. */
#include "tlsd/events.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 64 };

int
events_open(struct events *e)
{
	*e = (struct events){ .fd = epoll_create1(EPOLL_CLOEXEC) };
	return e->fd < 0 ? -1 : 0;
}

void
events_close(struct events *e)
{
	close(e->fd);
}

/*
 * Watch output only while it is waited for. A Unix socket reports room whenever the other side has read anything, and
 * each report would be a wake-up.
 */
static int
control(struct events *e, int how, struct watch *w)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = { .ptr = w } };

	if (w->wants & POLLOUT)
		ev.events |= EPOLLOUT;
	return epoll_ctl(e->fd, how, w->fd, &ev);
}

int
events_add(struct events *e, struct watch *w)
{
	w->wants = POLLIN;
	return control(e, EPOLL_CTL_ADD, w);
}

int
events_listen(struct events *e, struct watch *w)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data = { .ptr = w } };

	epoll_ctl(e->fd, EPOLL_CTL_DEL, w->fd, NULL);
	return epoll_ctl(e->fd, EPOLL_CTL_ADD, w->fd, &ev);
}

void
events_remove(struct events *e, struct watch *w)
{
	epoll_ctl(e->fd, EPOLL_CTL_DEL, w->fd, NULL);
}

void
events_want(struct events *e, struct watch *w, short wants)
{
	if ((wants ^ w->wants) & POLLOUT) {
		w->wants = wants;
		control(e, EPOLL_CTL_MOD, w);
	}
}

size_t
events_wait(struct events *e, struct event *event, size_t max, int timeout_ms)
{
	struct epoll_event ev[BATCH];
	int n = epoll_wait(e->fd, ev, max < BATCH ? (int)max : BATCH, timeout_ms), i;

	for (i = 0; i < n; i++) /* epoll's bits are poll's */
		event[i] = (struct event){ ev[i].data.ptr, (short)ev[i].events };
	return n < 0 ? 0 : (size_t)n;
}
