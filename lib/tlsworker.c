/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include "tlsworker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "events.h"
#include "handover.h"
#include "id.h"
#include "listener.h"
#include "os.h"
#include "starter.h"

enum {
	BATCH = 64,         /* events taken at once */
	TICK_MS = 10,       /* deadlines are looked at no more often */
	RETRY_MS = 50,      /* a resident's full queue is tried again */
	PAUSE_MS = 100,     /* without accept, after it failed for lack of something */
};

struct connection {
	struct tlspump pump;
	struct watch net, app;
	struct log log;
	char session[ID_MAX];
	char ip[ENDPOINT_TEXT];
	struct endpoint peer;
	int handover;        /* to the resident that has the session and has not acknowledged it; -1: none */
	bool starting;       /* its queue was full */
	bool ready;          /* in the list of those that have more to do */
	bool closed;
	int64_t late_ms;     /* until when it may acknowledge; 0: nothing is waited for */
	struct connection *next, **link; /* of all */
	struct connection *after;        /* of those that are ready, or closed */
};

struct worker {
	const struct tlsworker_conf *conf;
	struct tlspump_conf pump;
	struct tlspump_spare spare;
	struct log log;
	struct events events;
	struct watch listener, stop, signals;
	bool listening, paused, stopping;
	struct connection *first;
	struct connection *ready, *dead;
	size_t n;
	int64_t next_ms;     /* no deadline is earlier; 0: there is none */
	int64_t paused_ms;
};

static void
let_go(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A deadline that counts from now on. */
static void
expect(struct worker *w, int64_t ms)
{
	if (ms && (w->next_ms == 0 || ms < w->next_ms))
		w->next_ms = ms;
}

/* The pump is about to close the socket of the next stage. */
static void
forget(struct tlspump *p, void *arg)
{
	struct connection *c = (struct connection *)p; /* its first member */
	struct worker *w = arg;

	if (c->app.fd >= 0)
		events_remove(&w->events, &c->app);
	c->app.fd = -1;
}

/* It stays allocated until the events at hand have been looked at: one of them may be its own. */
static void
finish(struct worker *w, struct connection *c)
{
	events_remove(&w->events, &c->net);
	tlspump_close(&c->pump);
	let_go(&c->handover);
	close(c->net.fd);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->closed = true;
	if (!c->ready) {
		c->after = w->dead;
		w->dead = c;
	}
	w->n--;
}

/* What the next stage is told: the facts of all, the connection's addresses, what TLS proved. */
static int
learn(const struct worker *w, const struct connection *c, struct facts *f)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct endpoint local;
	char text[ENDPOINT_TEXT];
	size_t i;

	for (i = 0; i < w->conf->facts->n; i++) {
		const char *entry = w->conf->facts->v[i];
		size_t n = strcspn(entry, "=");
		char name[64];

		if (n >= sizeof name || !entry[n])
			continue;
		memcpy(name, entry, n);
		name[n] = '\0';
		if (facts_set(f, name, entry + n + 1) < 0)
			return -1;
	}
	snprintf(text, sizeof text, "%u", (unsigned)c->peer.port);
	if (facts_set(f, "PROTO", "TCP") < 0 || facts_set(f, "MSA_SESSION", c->session) < 0 ||
	    facts_set(f, "TCPREMOTEIP", c->ip) < 0 || facts_set(f, "TCPREMOTEPORT", text) < 0)
		return -1;
	if (getsockname(c->net.fd, (struct sockaddr *)&ss, &len) == 0 && endpoint_from(&local, &ss) == 0) {
		endpoint_ip(&local, text);
		if (facts_set(f, "TCPLOCALIP", text) < 0)
			return -1;
		snprintf(text, sizeof text, "%u", (unsigned)local.port);
		if (facts_set(f, "TCPLOCALPORT", text) < 0)
			return -1;
	}
	return tlspump_facts(&c->pump, f);
}

/* A program of its own for this connection. The other end of its fds 0 and 1, or -1. */
static int
start_program(struct worker *w, struct connection *c, struct facts *f)
{
	struct call call = { .in = -1, .out = -1, .envelope = -1, .stop = -1, .facts = *f, .log = c->log };
	struct facts none = { 0 };
	struct starter s;
	int fd = -1;

	if (starter_fork(&s, &call, w->conf->server->argv) < 0)
		log_error(&c->log, "failed", "next program %s:", w->conf->server->argv[0]);
	else if ((fd = starter_go(&s, &none)) < 0) {
		log_error(&c->log, "failed", "the next stage cannot be started");
		close(s.fd);
	}
	return fd;
}

/* The resident's path where the next stage is "call PATH". */
static const char *
resident(const struct worker *w)
{
	char *const *argv = w->conf->server->argv;

	return strcmp(argv[0], "call") == 0 && argv[1] && !argv[2] ? argv[1] : NULL;
}

static void
refuse(struct connection *c, const char *path)
{
	log_error(&c->log, "failed", "call %s:", path);
	let_go(&c->handover);
	c->late_ms = 0;
	c->starting = false;
	tlspump_refused(&c->pump, REPLY_SHUTDOWN);
}

/*
 * Hand the session to the resident. What says that a worker has it is its acknowledgement, which is looked for when the
 * stage says something, or late_ms has come: so nothing is waited for between.
 */
static int
hand_over(struct connection *c, struct facts *f, const char *path)
{
	int fd[2];
	struct call call = { .envelope = -1, .stop = -1, .facts = *f };

	c->starting = false;
	c->handover = handover_connect(path, 0);
	if (c->handover < 0 && errno == EAGAIN && (c->late_ms == 0 || clock_left(c->late_ms) > 0)) {
		c->starting = true;
		return -1;
	}
	if (c->handover < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0) {
		refuse(c, path);
		return -1;
	}
	call.in = call.out = fd[1];
	if (handover_send(c->handover, &call, STAGE_SESSION) < 0) {
		refuse(c, path);
		let_go(&fd[0]);
	}
	close(fd[1]);
	return fd[0];
}

static void
start(struct worker *w, struct connection *c)
{
	const char *path = resident(w);
	struct facts f = { 0 };
	int fd = -1;

	if (learn(w, c, &f) < 0) {
		log_error(&c->log, "failed", "facts:");
		tlspump_refused(&c->pump, REPLY_TROUBLE);
	} else if (path)
		fd = hand_over(c, &f, path);
	else if ((fd = start_program(w, c, &f)) < 0)
		tlspump_refused(&c->pump, REPLY_TROUBLE);
	facts_free(&f);
	if (path && c->late_ms == 0 && (fd >= 0 || c->starting))
		c->late_ms = clock_ms() + HANDOVER_WAIT_MS;
	if (fd < 0)
		return;
	c->app.fd = fd;
	if (events_add(&w->events, &c->app) < 0) {
		log_error(&c->log, "failed", "start:");
		close(fd);
		c->app.fd = -1;
		tlspump_refused(&c->pump, REPLY_TROUBLE);
		return;
	}
	tlspump_started(&c->pump, fd);
}

/* Has a worker taken the session? It acknowledges before it says anything, so what comes without that is a refusal. */
static void
acknowledge(struct worker *w, struct connection *c)
{
	if (handover_acknowledged(c->handover, 0) == 0) {
		let_go(&c->handover);
		c->late_ms = 0;
		return;
	}
	if (errno == EAGAIN)
		errno = ETIMEDOUT;
	refuse(c, resident(w));
}

/* What it waits for. */
static void
settle(struct worker *w, struct connection *c)
{
	struct pollfd fds[TLSPUMP_FDS];
	size_t n = tlspump_poll(&c->pump, fds), i;
	short net = 0, app = 0;

	for (i = 0; i < n; i++)
		if (fds[i].fd == c->net.fd)
			net |= fds[i].events;
		else
			app |= fds[i].events;
	events_want(&w->events, &c->net, net);
	if (c->app.fd >= 0)
		events_want(&w->events, &c->app, app);
	expect(w, c->pump.deadline_ms);
	expect(w, c->late_ms);
}

static void
step(struct worker *w, struct connection *c)
{
	if (c->starting)
		return;
	for (;;)
		switch (tlspump_step(&c->pump)) {
		case TLSPUMP_WAIT:
			settle(w, c);
			return;
		case TLSPUMP_AGAIN:
			if (!c->ready) {
				c->ready = true;
				c->after = w->ready;
				w->ready = c;
			}
			return;
		case TLSPUMP_PREPARE:
			tlspump_prepared(&c->pump, true);
			break;
		case TLSPUMP_START:
			start(w, c);
			if (c->starting) {
				expect(w, clock_ms() + RETRY_MS);
				return;
			}
			break;
		case TLSPUMP_DONE:
			finish(w, c);
			return;
		}
}

static void
admit(struct worker *w)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct connection *c;
	int fd = accept4(w->listener.fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_error(&w->log, "failed", "accept:");
			events_remove(&w->events, &w->listener);
			w->paused = true;
			w->paused_ms = clock_ms() + PAUSE_MS;
			expect(w, w->paused_ms);
		}
		return;
	}
	events_listen(&w->events, &w->listener); /* others first */
	c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		return;
	}
	c->handover = -1;
	c->net = (struct watch){ .fd = fd, .owner = c };
	c->app = (struct watch){ .fd = -1, .owner = c };
	id_make(c->session);
	c->log = w->log;
	c->log.session = c->session;
	if (endpoint_from(&c->peer, &ss) == 0)
		endpoint_ip(&c->peer, c->ip);
	if (events_add(&w->events, &c->net) < 0 ||
	    tlspump_open(&c->pump, &w->pump, fd, fd, &c->log, c->ip) < 0) {
		log_error(&c->log, "failed", "start:");
		close(fd);
		free(c);
		return;
	}
	c->next = w->first;
	c->link = &w->first;
	if (c->next)
		c->next->link = &c->next;
	w->first = c;
	w->n++;
	step(w, c);
}

/* Take no more connections. */
static void
retire(struct worker *w)
{
	if (w->listening && !w->paused)
		events_remove(&w->events, &w->listener);
	w->listening = w->paused = false;
	let_go(&w->listener.fd);
}

static void
stop(struct worker *w)
{
	struct connection *c, *next;

	retire(w);
	if (w->stopping)
		return;
	w->stopping = true;
	for (c = w->first; c; c = next) {
		next = c->next;
		tlspump_stop(&c->pump);
		step(w, c);
	}
}

static void
signalled(struct worker *w)
{
	int signo;

	while ((signo = os_signal(w->signals.fd)) > 0)
		if (signo == SIGTERM || signo == SIGINT)
			stop(w);
		else if (signo == SIGHUP)
			retire(w);
		else
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
}

static void
take(struct worker *w, const struct event *e)
{
	struct connection *c = e->watch->owner;

	if (e->watch == &w->listener) {
		if (w->listening)
			admit(w);
	} else if (e->watch == &w->stop)
		stop(w);
	else if (e->watch == &w->signals)
		signalled(w);
	else if (!c->closed && e->watch->fd >= 0) {
		if (c->handover >= 0 && e->watch == &c->app && e->events & ~POLLOUT)
			acknowledge(w, c);
		if (e->watch->fd >= 0)
			tlspump_event(&c->pump, e->watch->fd, e->events);
		step(w, c);
	}
}

/* Those whose time has come. */
static void
look_at_clock(struct worker *w)
{
	int64_t now = clock_ms();
	struct connection *c, *next;

	if (w->next_ms == 0 || now < w->next_ms)
		return;
	w->next_ms = 0;
	if (w->paused && now >= w->paused_ms) {
		w->paused = false;
		events_listen(&w->events, &w->listener);
	}
	expect(w, w->paused ? w->paused_ms : 0);
	for (c = w->first; c; c = next) {
		bool due = c->pump.deadline_ms && now >= c->pump.deadline_ms;

		next = c->next;
		if (c->starting) {
			start(w, c);
			due = true;
		}
		if (c->handover >= 0 && now >= c->late_ms) {
			acknowledge(w, c);
			due = true;
		}
		if (c->starting)
			expect(w, now + RETRY_MS);
		else if (due)
			step(w, c);
		else {
			expect(w, c->pump.deadline_ms);
			expect(w, c->late_ms);
		}
	}
	if (w->next_ms && w->next_ms < now + TICK_MS)
		w->next_ms = now + TICK_MS;
}

static void
go_on(struct worker *w)
{
	struct connection *c, *list = w->ready;

	w->ready = NULL;
	while ((c = list)) {
		list = c->after;
		c->ready = false;
		if (c->closed) {
			c->after = w->dead;
			w->dead = c;
		} else
			step(w, c);
	}
	while ((c = w->dead)) {
		w->dead = c->after;
		free(c);
	}
}

int
tlsworker_run(const struct tlsworker_conf *conf)
{
	struct worker w = { .conf = conf, .log = *conf->log };
	struct event e[BATCH];
	size_t n, i;

	if (events_open(&w.events) < 0 || (w.signals.fd = os_signals()) < 0) {
		log_error(&w.log, "failed", "events:");
		return CHAIN_LATER;
	}
	w.pump = conf->server->pump;
	w.pump.forget = forget;
	w.pump.forget_arg = &w;
	w.pump.spare = &w.spare;
	w.listener = (struct watch){ .fd = conf->listener };
	w.stop = (struct watch){ .fd = conf->stop };
	w.listening = true;
	if (events_add(&w.events, &w.signals) < 0 || events_add(&w.events, &w.stop) < 0 ||
	    events_listen(&w.events, &w.listener) < 0) {
		log_error(&w.log, "failed", "events:");
		return CHAIN_LATER;
	}
	while (w.listening || w.n > 0) {
		n = events_wait(&w.events, e, BATCH, w.ready ? 0 : w.next_ms ? clock_left(w.next_ms) : -1);
		for (i = 0; i < n; i++)
			take(&w, &e[i]);
		look_at_clock(&w);
		go_on(&w);
	}
	events_close(&w.events);
	buf_free(&w.spare.raw);
	buf_free(&w.spare.up);
	buf_free(&w.spare.down);
	return CHAIN_DONE;
}
