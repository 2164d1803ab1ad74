/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include "tlsd/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "chain/limits.h"
#include "net/listen.h"
#include "net/proxyhdr.h"
#include "stage/handover.h"
#include "stage/standby.h"
#include "tlsd/events.h"

enum {
	BATCH = 64,         /* events taken at once */
	TICK_MS = 10,       /* deadlines are looked at no more often */
	LOOK_MS = 1000,     /* whether files have changed */
	SAY_MS = 1000,      /* a line about connections that were refused, at most */
	HEADER_MS = 10000,  /* a proxy's header must have come */
	RETRY_MS = 50,      /* a resident's full queue is tried again */
	QUIET_MS = 1000,    /* without an event, after which memory is given back */
	PAUSE_MS = 100,     /* without accept, after it failed for lack of something */
};

struct connection {
	struct tlspump pump;
	struct watch net, app;
	struct log log;
	char session[ID_MAX];
	char ip[ENDPOINT_TEXT]; /* the client's; "": not known */
	struct endpoint peer, local;
	bool has_local;      /* local was told by the proxy */
	bool header;         /* the proxy has not said yet whose connection it is */
	bool open;           /* pump is */
	bool settled;        /* it counts no longer as early */
	unsigned place;      /* in limits */
	struct facts facts;  /* from the rules */
	int handover;        /* to the resident that has the session and has not acknowledged it; -1: none */
	bool starting;       /* its queue was full */
	bool ready;          /* in the list of those that have more to do */
	bool closed;
	int64_t late_ms;     /* until when it may acknowledge, or its header be there; 0: nothing is waited for */
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
	int64_t looked_ms;   /* when files were looked at last */
	int64_t said_ms;     /* when a refusal was logged last, and how many were not since */
	unsigned unsaid;
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
	if (c->open)
		tlspump_close(&c->pump);
	let_go(&c->handover);
	close(c->net.fd);
	facts_free(&c->facts);
	admission_leave(w->conf->limits, c->place);
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

static int
add_facts(struct facts *f, const struct facts *more)
{
	char name[64];
	size_t i;

	for (i = 0; i < more->n; i++) {
		size_t n = strcspn(more->v[i], "=");

		if (n >= sizeof name || !more->v[i][n])
			continue;
		memcpy(name, more->v[i], n);
		name[n] = '\0';
		if (facts_set(f, name, more->v[i] + n + 1) < 0)
			return -1;
	}
	return 0;
}

static int
add_endpoint(struct facts *f, const char *ip_name, const char *port_name, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT];

	endpoint_ip(e, text);
	if (facts_set(f, ip_name, text) < 0)
		return -1;
	snprintf(text, sizeof text, "%u", (unsigned)e->port);
	return facts_set(f, port_name, text);
}

/* What the next stage is told: the facts of all, of the rules, the connection's addresses, what TLS proved. */
static int
learn(const struct worker *w, const struct connection *c, struct facts *f)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct endpoint local = c->local;
	bool has_local = c->has_local;

	if (add_facts(f, w->conf->facts) < 0 || add_facts(f, &c->facts) < 0 || facts_set(f, "PROTO", "TCP") < 0 ||
	    facts_set(f, "MSA_SESSION", c->session) < 0)
		return -1;
	if (!*c->ip) /* nor do we say where it came to: that was the proxy */
		return tlspump_facts(&c->pump, f);
	if (!has_local && getsockname(c->net.fd, (struct sockaddr *)&ss, &len) == 0)
		has_local = endpoint_from(&local, &ss) == 0;
	if (add_endpoint(f, "TCPREMOTEIP", "TCPREMOTEPORT", &c->peer) < 0 ||
	    (has_local && add_endpoint(f, "TCPLOCALIP", "TCPLOCALPORT", &local) < 0))
		return -1;
	return tlspump_facts(&c->pump, f);
}

/* A program of its own for this connection. The other end of its fds 0 and 1, or -1. */
static int
start_program(struct worker *w, struct connection *c, struct facts *f)
{
	struct call call = { .in = -1, .out = -1, .envelope = -1, .stop = -1, .facts = *f, .log = c->log };
	struct facts none = { 0 };
	struct standby s;
	int fd = -1;

	if (standby_fork(&s, &call, w->conf->server->argv) < 0)
		log_error(&c->log, "failed", "next program %s:", w->conf->server->argv[0]);
	else if ((fd = standby_go(&s, &none)) < 0) {
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
	log_error(&c->log, "failed", "call %s: %s", path, handover_why(errno, true));
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
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0) {
		refuse(c, path);
		return -1;
	}
	call.in = call.out = fd[1];
	c->handover = handover_call(path, &call, STAGE_SESSION, 0);
	c->starting = c->handover < 0 && errno == EAGAIN && (c->late_ms == 0 || clock_left(c->late_ms) > 0);
	if (c->handover < 0) {
		if (!c->starting)
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
	if (!c->settled && tlspump_is_through(&c->pump)) {
		admission_settle(w->conf->limits, c->place);
		c->settled = true;
	}
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

/* A connection that is too many: told so where it can hear it, logged once a second. */
static void
turn_away(struct worker *w, int fd, const char *ip, const char *reason)
{
	int64_t now = clock_ms();
	struct buf b = { 0 };
	char more[16];

	if (w->said_ms && now < w->said_ms + SAY_MS)
		w->unsaid++;
	else {
		snprintf(more, sizeof more, "%u", w->unsaid);
		log_event(&w->log, "refused", "reason", reason, "peer", *ip ? ip : NULL, "more", w->unsaid ? more : NULL,
		    (char *)NULL);
		w->said_ms = now;
		w->unsaid = 0;
	}
	if (!w->pump.implicit && reply_add(&b, REPLY_SHUTDOWN) == 0 &&
	    send(fd, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		/* it is gone, which is what was wanted */
	}
	buf_free(&b);
}

/* The client is known, or known to be unknown: may it come in? Then the pump begins. */
static void
let_in(struct worker *w, struct connection *c)
{
	enum tcprules_result r = TCPRULES_ALLOW;

	if (w->conf->rules)
		r = tcprules_look(w->conf->rules, *c->ip ? c->ip : NULL, &c->facts);
	if (r == TCPRULES_ERROR)
		log_error(&c->log, "failed", "%s: %s", w->conf->rules->table.path, table_why(errno));
	if (r == TCPRULES_DENY)
		log_event(&c->log, "denied", "peer", *c->ip ? c->ip : NULL, (char *)NULL);
	if (r != TCPRULES_ALLOW) {
		finish(w, c);
		return;
	}
	if (*c->ip && admission_address(w->conf->limits, c->place, &c->peer) != ADMISSION_OK) {
		turn_away(w, c->net.fd, c->ip, "too many connections from this address");
		finish(w, c);
		return;
	}
	if (tlspump_open(&c->pump, &w->pump, c->net.fd, c->net.fd, &c->log, *c->ip ? c->ip : NULL) < 0) {
		log_error(&c->log, "failed", "start:");
		finish(w, c);
		return;
	}
	c->open = true;
	step(w, c);
}

/*
 * Take the proxy's header and not an octet more: what follows may be TLS. Of the proxy itself nothing counts any
 * more from then on.
 */
static void
take_header(struct worker *w, struct connection *c)
{
	char data[PROXYHDR_MAX], proxy[ENDPOINT_TEXT];
	struct endpoint client;
	size_t used;
	ssize_t n = recv(c->net.fd, data, sizeof data, MSG_PEEK | MSG_DONTWAIT);
	enum proxyhdr_result r;

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	r = n > 0 ? proxyhdr_parse(data, (size_t)n, &used, &client, &c->local) : PROXYHDR_BAD;
	if (r == PROXYHDR_MORE)
		return;
	memcpy(proxy, c->ip, sizeof proxy);
	c->header = false;
	c->late_ms = 0;
	c->ip[0] = '\0';
	if (r == PROXYHDR_BAD || recv(c->net.fd, data, used, MSG_DONTWAIT) != (ssize_t)used) {
		log_event(&c->log, "refused", "reason", n > 0 ? "no valid PROXY header" : "no PROXY header", "peer", proxy,
		    (char *)NULL);
		finish(w, c);
		return;
	}
	if (r == PROXYHDR_PEER) {
		c->peer = client;
		c->has_local = true;
		endpoint_ip(&c->peer, c->ip);
	}
	let_in(w, c);
	if (!c->closed) { /* the edge that told of the header told of what came with it, too */
		tlspump_event(&c->pump, c->net.fd, POLLIN);
		step(w, c);
	}
}

/* Now and then, when somebody comes: have files changed? The parent looks after the keys. */
static void
look_at_files(struct worker *w)
{
	int64_t now = clock_ms();

	if (now < w->looked_ms + LOOK_MS)
		return;
	w->looked_ms = now;
	if (write(w->conf->wake, "", 1) < 0) {
		/* the pipe is full: the parent is awake */
	}
	if (w->conf->rules && tcprules_refresh(w->conf->rules) < 0)
		log_error(&w->log, "kept", "%s: %s", w->conf->rules->table.path, table_why(errno));
}

/* Accept nothing for a moment. The listening socket is not watched meanwhile. */
static void
pause_accept(struct worker *w)
{
	w->paused = true;
	w->paused_ms = clock_ms() + PAUSE_MS;
	expect(w, w->paused_ms);
}

static void
admit(struct worker *w)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct connection *c;
	enum admission_result r;
	int fd = accept4(w->listener.fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_error(&w->log, "failed", "accept:");
			events_remove(&w->events, &w->listener);
			pause_accept(w);
		}
		return;
	}
	if (events_listen(&w->events, &w->listener) < 0) { /* other workers first */
		log_error(&w->log, "failed", "listening socket:");
		pause_accept(w);
	}
	look_at_files(w);
	c = calloc(1, sizeof *c);
	if (!c || endpoint_from(&c->peer, &ss) < 0) {
		close(fd);
		free(c);
		return;
	}
	endpoint_ip(&c->peer, c->ip);
	r = admission_enter(w->conf->limits, &c->place);
	if (r != ADMISSION_OK) {
		turn_away(w, fd, c->ip, r == ADMISSION_OVER_EARLY ? "too many connections before TLS" : "too many connections");
		close(fd);
		free(c);
		return;
	}
	c->handover = -1;
	c->net = (struct watch){ .fd = fd, .owner = c };
	c->app = (struct watch){ .fd = -1, .owner = c };
	id_make(c->session);
	c->log = w->log;
	c->log.session = c->session;
	c->next = w->first;
	c->link = &w->first;
	if (c->next)
		c->next->link = &c->next;
	w->first = c;
	w->n++;
	if (events_add(&w->events, &c->net) < 0) {
		log_error(&c->log, "failed", "start:");
		finish(w, c);
	} else if (proxyhdr_trusted(&w->conf->server->proxies, &c->peer)) {
		c->header = true;
		c->late_ms = clock_ms() + HEADER_MS;
		expect(w, c->late_ms);
		take_header(w, c);
	} else
		let_in(w, c);
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
		if (c->header) {
			finish(w, c);
			continue;
		}
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
	else if (!c->closed && c->header)
		take_header(w, c);
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
		if (events_listen(&w->events, &w->listener) < 0)
			pause_accept(w); /* logged when it began */
	}
	expect(w, w->paused ? w->paused_ms : 0);
	for (c = w->first; c; c = next) {
		bool due = c->pump.deadline_ms && now >= c->pump.deadline_ms;

		next = c->next;
		if (c->header) {
			if (now >= c->late_ms) {
				log_event(&c->log, "refused", "reason", "no PROXY header in time", "peer", c->ip, (char *)NULL);
				finish(w, c);
			} else
				expect(w, c->late_ms);
			continue;
		}
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
	bool used = false; /* since memory was given back */
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
		int left = w.ready ? 0 : w.next_ms ? clock_left(w.next_ms) : -1;

		n = events_wait(&w.events, e, BATCH, used && (left < 0 || left > QUIET_MS) ? QUIET_MS : left);
		if (n == 0 && used && left != 0)
			os_give_back();
		used = n > 0 || left == 0;
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
