/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_EVENTS_H
#define MSA_TLSD_EVENTS_H

#include <stddef.h>

/*
 * Waiting for many descriptors with epoll. Linux only, as tlsd -l is. Input and the end of the other side are reported
 * when they come (edges): the owner of an event reads until there is nothing more.
 */
struct watch {
	int fd;
	void *owner; /* the caller's */
	short wants; /* the module's own */
};

struct events {
	int fd;
};

struct event {
	struct watch *watch;
	short events; /* POLLIN, POLLOUT, POLLHUP ... */
};

/* Returns 0, or -1 with errno set. */
int events_open(struct events *e);
void events_close(struct events *e);

/* Watch w->fd for input. w must not move until events_remove. Returns 0, or -1 with errno set. */
int events_add(struct events *e, struct watch *w);

/*
 * Watch a listening socket that other processes watch too. It is reported as long as a connection waits, to one process
 * if possible. Calling this again puts this process last in line. Returns 0, or -1 with errno set and w not watched.
 */
int events_listen(struct events *e, struct watch *w);

void events_remove(struct events *e, struct watch *w);

/* Watch w for these events (POLLIN, POLLOUT) from now on. No system call is made unless POLLOUT changes. */
void events_want(struct events *e, struct watch *w, short wants);

/* Wait at most timeout_ms (-1: no limit). Returns how many of the max events were filled in. */
size_t events_wait(struct events *e, struct event *event, size_t max, int timeout_ms);

#endif
