/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_EVENTS_H
#define MSA_TLSD_EVENTS_H

#include <stddef.h>

/*
 * Waiting for many descriptors. Input, and the other side's end, are reported when they come (an edge): whoever gets an
 * event reads until there is nothing more. Linux: epoll, each descriptor registered once; elsewhere poll.
 */
struct watch {
	int fd;
	void *owner; /* the caller's */
	short wants; /* the rest is the module's */
	size_t at;
};

struct events {
	int fd;
	struct pollfd *polled; /* without epoll: the descriptors, and whose they are */
	struct watch **watch;
	size_t n, cap;
};

struct event {
	struct watch *watch;
	short events; /* POLLIN, POLLOUT, POLLHUP ... */
};

/* 0, or -1 with errno. */
int events_open(struct events *e);
void events_close(struct events *e);

/* Watch w->fd for input. w must stay where it is until events_remove. 0, or -1 with errno. */
int events_add(struct events *e, struct watch *w);

/*
 * Watch a listening socket that other processes watch too: reported as long as there is somebody to accept, to one
 * process if possible. Adding it again puts this process at the end of the line.
 */
int events_listen(struct events *e, struct watch *w);

void events_remove(struct events *e, struct watch *w);

/* What is waited for now: POLLIN and POLLOUT, as after poll. Free of charge where that is what it was. */
void events_want(struct events *e, struct watch *w, short wants);

/* Wait at most timeout_ms (-1: for ever). How many of the max events were filled in. */
size_t events_wait(struct events *e, struct event *event, size_t max, int timeout_ms);

#endif
