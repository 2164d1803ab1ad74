/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "tlsd/events.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/epoll.h>

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
 * Output is watched only while it is waited for: a Unix socket announces room whenever the other side has read
 * anything, and each of those would be a wake-up.
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

#else

int
events_open(struct events *e)
{
	*e = (struct events){ .fd = -1 };
	return 0;
}

void
events_close(struct events *e)
{
	free(e->polled);
	free(e->watch);
}

int
events_add(struct events *e, struct watch *w)
{
	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 64;
		struct pollfd *polled = realloc(e->polled, cap * sizeof *polled);
		struct watch **watch;

		if (!polled)
			return -1;
		e->polled = polled;
		watch = realloc(e->watch, cap * sizeof *watch);
		if (!watch)
			return -1;
		e->watch = watch;
		e->cap = cap;
	}
	w->at = e->n;
	w->wants = POLLIN;
	e->polled[e->n] = (struct pollfd){ .fd = w->fd, .events = POLLIN };
	e->watch[e->n++] = w;
	return 0;
}

int
events_listen(struct events *e, struct watch *w)
{
	if (w->at < e->n && e->watch[w->at] == w)
		return 0;
	return events_add(e, w);
}

void
events_remove(struct events *e, struct watch *w)
{
	if (w->at >= e->n || e->watch[w->at] != w)
		return;
	e->n--;
	e->polled[w->at] = e->polled[e->n];
	e->watch[w->at] = e->watch[e->n];
	e->watch[w->at]->at = w->at;
}

/* Where nothing is wanted the descriptor is left out: poll would announce the other side's end again and again. */
void
events_want(struct events *e, struct watch *w, short wants)
{
	w->wants = wants;
	e->polled[w->at].fd = wants ? w->fd : -1;
	e->polled[w->at].events = wants;
}

size_t
events_wait(struct events *e, struct event *event, size_t max, int timeout_ms)
{
	size_t i, n = 0;

	if (poll(e->polled, (nfds_t)e->n, timeout_ms) <= 0)
		return 0;
	for (i = 0; i < e->n && n < max; i++)
		if (e->polled[i].revents)
			event[n++] = (struct event){ e->watch[i], e->polled[i].revents };
	return n;
}

#endif
