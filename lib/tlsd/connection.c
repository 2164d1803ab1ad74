/* ISC licence, see LICENSE. */
#include "tlsd/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "chain/offer.h"
#include "net/proxyhdr.h"
#include "stage/handover.h"
#include "stage/standby.h"

enum {
	TICK_MS = 10,      /* the least time between two looks at the deadlines */
	SAY_MS = 1000,     /* the least time between two log lines about refused connections */
	EARLY_MS = 1000,   /* the most time between two looks at early connections: their time may have become shorter */
	HEADER_MS = 10000, /* for a proxy's header to be complete */
};

struct connection {
	struct connections *all;
	struct pump pump;
	struct watch net, app;
	struct log log;
	char session[ID_MAX];
	char ip[IPADDR_TEXT]; /* the client's address; "": unknown */
	struct endpoint peer, local;
	bool has_local;      /* local is from the PROXY header */
	bool header;         /* the PROXY header is not complete */
	bool open;           /* pump is open */
	bool ready;          /* in the list of those that have more to do */
	bool closed;
	bool counted;        /* by the guard */
	struct admission_ticket ticket;
	int64_t begun_ms;
	struct facts facts;  /* from the rules */
	int handover;        /* to the resident that has the session and has not acknowledged it; -1: none */
	int64_t late_ms;     /* the deadline for the acknowledgement, or for the PROXY header; 0: none */
	struct connection *next, **link; /* of all */
	struct connection *after;        /* of those that are ready, or closed */
};

static void
let_go(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
connections_expect(struct connections *all, int64_t ms)
{
	if (ms && (all->next_ms == 0 || ms < all->next_ms))
		all->next_ms = ms;
}

/* c stays allocated until the events at hand were handled: one of them may be its own. */
static void
finish(struct connection *c)
{
	struct connections *all = c->all;

	events_remove(all->events, &c->net);
	if (c->open && c->counted)
		guard_count(&all->server->guard, &c->peer.ip, pump_fate(&c->pump));
	if (c->open)
		pump_close(&c->pump);
	let_go(&c->handover);
	close(c->net.fd);
	facts_free(&c->facts);
	admission_leave(all->limits, &c->ticket);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->closed = true;
	if (!c->ready) {
		c->after = all->dead;
		all->dead = c;
	}
	all->n--;
}

/* The next stage */

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
	char text[IPADDR_TEXT];

	ipaddr_text(&e->ip, text);
	if (facts_set(f, ip_name, text) < 0)
		return -1;
	snprintf(text, sizeof text, "%u", (unsigned)e->port);
	return facts_set(f, port_name, text);
}

/* Collect the next stage's facts: those of all, those of the rules, the addresses, what TLS proved. */
static int
learn(const struct connection *c, struct facts *f)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct endpoint local = c->local;
	bool has_local = c->has_local;

	if (add_facts(f, c->all->facts) < 0 || add_facts(f, &c->facts) < 0 || facts_set(f, "PROTO", "TCP") < 0 ||
	    facts_set(f, "MSA_SESSION", c->session) < 0 || offer_learn(f, &c->log) < 0)
		return -1;
	if (!*c->ip) /* the socket's own address is the one that the proxy connected to */
		return pump_facts(&c->pump, f);
	if (!has_local && getsockname(c->net.fd, (struct sockaddr *)&ss, &len) == 0)
		has_local = endpoint_from(&local, &ss) == 0;
	if (add_endpoint(f, "TCPREMOTEIP", "TCPREMOTEPORT", &c->peer) < 0 ||
	    (has_local && add_endpoint(f, "TCPLOCALIP", "TCPLOCALPORT", &local) < 0))
		return -1;
	return pump_facts(&c->pump, f);
}

/* Start a program for this connection. Returns the other end of its fds 0 and 1, or -1, logged. */
static int
start_program(struct connection *c, struct facts *f)
{
	const struct next *next = &c->all->server->next;
	struct call call = { .in = -1, .out = -1, .envelope = -1, .stop = -1, .facts = *f, .log = c->log };
	struct facts none = { 0 };
	struct standby s;
	int fd = -1;

	if (standby_fork(&s, &call, next) < 0)
		log_error(&c->log, "failed", "next program %s:", next->argv[0]);
	else if ((fd = standby_go(&s, &none)) < 0) {
		log_error(&c->log, "failed", "the next stage cannot be started:");
		close(s.fd);
	}
	return fd;
}

static void
log_no_handover(const struct connection *c)
{
	log_error(&c->log, "failed", "call %s: %s", c->all->server->next.path, handover_why(errno, true));
}

/*
 * Hand the session to the resident. Returns a socket to it; PUMP_LATER: its queue is full; or PUMP_REFUSED, logged.
 * A worker of the resident acknowledges the session before it writes anything. We look for the acknowledgement once the
 * stage has written something, or late_ms has come, and wait for nothing meanwhile.
 */
static int
hand_over(struct connection *c, struct facts *f)
{
	int fd[2];
	struct call call = { .envelope = -1, .stop = -1, .facts = *f };

	if (c->late_ms == 0)
		c->late_ms = clock_ms() + HANDOVER_WAIT_MS;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0) {
		log_no_handover(c);
		return PUMP_REFUSED;
	}
	call.in = call.out = fd[1];
	c->handover = handover_call(c->all->server->next.path, &call, CALL_SESSION, 0);
	if (c->handover < 0) {
		bool later = errno == EAGAIN && clock_left(c->late_ms) > 0;

		if (!later)
			log_no_handover(c);
		let_go(&fd[0]);
		fd[0] = later ? PUMP_LATER : PUMP_REFUSED;
	}
	close(fd[1]);
	return fd[0];
}

/* Called by the pump. */
static int
start(void *owner, enum reply *r)
{
	struct connection *c = owner;
	struct facts f = { 0 };
	int fd = PUMP_REFUSED;

	if (learn(c, &f) < 0)
		log_error(&c->log, "failed", "facts:");
	else if (c->all->server->next.how == NEXT_CALL) {
		*r = REPLY_SHUTDOWN;
		fd = hand_over(c, &f);
	} else
		fd = start_program(c, &f);
	facts_free(&f);
	if (fd >= 0) {
		c->app.fd = fd;
		if (events_add(c->all->events, &c->app) < 0) {
			log_error(&c->log, "failed", "start:");
			close(fd);
			c->app.fd = -1;
			*r = REPLY_TROUBLE;
			fd = PUMP_REFUSED;
		}
	}
	if (fd == PUMP_REFUSED) {
		let_go(&c->handover);
		c->late_ms = 0;
	}
	return fd;
}

/* Called by the pump: the client is no stranger any more, unless it is about to be told to go. */
static void
settle(void *owner)
{
	struct connection *c = owner;

	if (admission_settle(c->all->limits, &c->ticket) == 0)
		c->log.stranger = false;
}

/* Called by the pump, which is about to close the next stage's socket. */
static void
forget(void *owner)
{
	struct connection *c = owner;

	if (c->app.fd >= 0)
		events_remove(c->all->events, &c->app);
	c->app.fd = -1;
}

/* Look for the resident's acknowledgement. Output without one is a refusal. */
static void
acknowledge(struct connection *c)
{
	bool ok = handover_acknowledged(c->handover, 0) == 0;

	if (!ok && errno == EAGAIN)
		errno = ETIMEDOUT;
	if (!ok)
		log_no_handover(c);
	let_go(&c->handover);
	c->late_ms = 0;
	if (!ok)
		pump_refuse(&c->pump, REPLY_SHUTDOWN);
}

/* One step */

static bool
is_early(const struct connection *c)
{
	return c->ticket.early != ADMISSION_NO_PLACE;
}

static void
expect(struct connection *c)
{
	connections_expect(c->all, c->open ? pump_deadline_ms(&c->pump) : 0);
	connections_expect(c->all, c->late_ms);
	if (is_early(c))
		connections_expect(c->all, clock_ms() + EARLY_MS);
}

/* Watch for what the pump waits for. */
static void
wait_for(struct connection *c)
{
	struct connections *all = c->all;
	struct pollfd fds[PUMP_FDS];
	size_t n = pump_poll(&c->pump, fds), i;
	short net = 0, app = 0;

	for (i = 0; i < n; i++)
		if (fds[i].fd == c->net.fd)
			net |= fds[i].events;
		else
			app |= fds[i].events;
	events_want(all->events, &c->net, net);
	if (c->app.fd >= 0)
		events_want(all->events, &c->app, app);
	expect(c);
}

static void
step(struct connection *c)
{
	switch (pump_step(&c->pump)) {
	case PUMP_WAIT:
		wait_for(c);
		break;
	case PUMP_AGAIN:
		if (!c->ready) {
			c->ready = true;
			c->after = c->all->ready;
			c->all->ready = c;
		}
		break;
	case PUMP_DONE:
		finish(c);
		break;
	}
}

/* The way in */

/* Refuse a connection: reply r, if the client can read a reply, and log it at most once a second. */
static void
turn_away(struct connections *all, int fd, const char *ip, const char *reason, enum reply r)
{
	int64_t now = clock_ms();
	struct buf b = { 0 };
	char more[16];

	if (all->said_ms && now < all->said_ms + SAY_MS)
		all->unsaid++;
	else {
		snprintf(more, sizeof more, "%u", all->unsaid);
		log_event(&all->log, "refused", "reason", reason, "peer", *ip ? ip : NULL, "more", all->unsaid ? more : NULL,
		    (char *)NULL);
		all->said_ms = now;
		all->unsaid = 0;
	}
	if (!all->pump.implicit && reply_add(&b, r) == 0 &&
	    send(fd, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		/* the client is gone, as wanted */
	}
	buf_free(&b);
}

static const char *
why_over(enum admission_result r)
{
	return r == ADMISSION_OVER_ADDRESS ? "too many connections from this address" :
	    r == ADMISSION_OVER_HOST       ? "too many connections without authentication from this address" :
	    r == ADMISSION_OVER_EARLY      ? "too many connections without authentication" :
	                                     "too many connections";
}

/*
 * The client's address is known, or known to be unknown: then the proxy's own address counts. If rules and limits allow
 * the client, begin.
 */
static void
let_in(struct connection *c)
{
	struct connections *all = c->all;
	enum tcprules_result r = TCPRULES_ALLOW;
	const char *ip = *c->ip ? c->ip : NULL;
	enum admission_result limit;
	char counted[IPADDR_TEXT];
	const char *why;

	if (all->rules)
		r = tcprules_look(all->rules, ip, &c->facts);
	if (r == TCPRULES_ERROR)
		log_error(&c->log, "failed", "%s: %s", all->rules->table.path, table_why(errno));
	if (r == TCPRULES_DENY)
		log_event(&c->log, "denied", "peer", ip, (char *)NULL);
	if (r != TCPRULES_ALLOW) {
		finish(c);
		return;
	}
	/* Who may send mail without a password guesses none. */
	c->counted = ip && guard_applies(&all->server->guard, &c->peer.ip) && !facts_get(&c->facts, "RELAYCLIENT");
	why = c->counted ? guard_refuses(&all->server->guard, &c->peer.ip) : NULL;
	if (why) {
		turn_away(all, c->net.fd, ip, why, REPLY_GUESSED);
		finish(c);
		return;
	}
	limit = admission_address(all->limits, &c->ticket, &c->peer);
	if (limit != ADMISSION_OK) {
		ipaddr_text(&c->peer.ip, counted);
		turn_away(all, c->net.fd, counted, why_over(limit), REPLY_SHUTDOWN);
		finish(c);
		return;
	}
	if (pump_open(&c->pump, &all->pump, c, c->net.fd, c->net.fd, &c->log, ip) < 0) {
		log_error(&c->log, "failed", "start:");
		finish(c);
		return;
	}
	c->open = true;
	step(c);
}

/*
 * Read the proxy's header and not an octet more: what follows may be TLS. From then on the proxy's own address counts
 * for nothing, if the header has another.
 */
static void
take_header(struct connection *c)
{
	char data[PROXYHDR_MAX], proxy[IPADDR_TEXT];
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
		finish(c);
		return;
	}
	if (r == PROXYHDR_PEER) {
		c->peer = client;
		c->has_local = true;
		ipaddr_text(&c->peer.ip, c->ip);
	}
	let_in(c);
	if (!c->closed) { /* the edge that reported the header reported the octets after it, too */
		pump_event(&c->pump, c->net.fd, POLLIN);
		step(c);
	}
}

/* Put c, whose peer, ip and ticket are set, into the list. */
static void
begin(struct connections *all, struct connection *c, int fd)
{
	c->all = all;
	c->handover = -1;
	c->net = (struct watch){ .fd = fd, .owner = c };
	c->app = (struct watch){ .fd = -1, .owner = c };
	id_make(c->session);
	c->log = all->log;
	c->log.session = c->session;
	c->log.stranger = true;
	c->begun_ms = clock_ms();
	c->next = all->first;
	c->link = &all->first;
	if (c->next)
		c->next->link = &c->next;
	all->first = c;
	all->n++;
}

void
connection_accept(struct connections *all, int fd, const struct sockaddr_storage *ss)
{
	struct connection *c = calloc(1, sizeof *c);
	enum admission_result r;

	if (!c || endpoint_from(&c->peer, ss) < 0) {
		close(fd);
		free(c);
		return;
	}
	ipaddr_text(&c->peer.ip, c->ip);
	r = admission_enter(all->limits, &c->ticket, clock_ms());
	if (r != ADMISSION_OK) {
		turn_away(all, fd, c->ip, why_over(r), REPLY_SHUTDOWN);
		close(fd);
		free(c);
		return;
	}
	begin(all, c, fd);
	if (events_add(all->events, &c->net) < 0) {
		log_error(&c->log, "failed", "start:");
		finish(c);
	} else if (proxyhdr_trusted(&all->server->proxies, &c->peer)) {
		c->header = true;
		c->late_ms = clock_ms() + HEADER_MS;
		connections_expect(all, c->late_ms);
		take_header(c);
	} else
		let_in(c);
}

/* Events and deadlines */

void
connection_event(struct connection *c, const struct event *e)
{
	if (c->closed)
		return;
	if (c->header) {
		take_header(c);
		return;
	}
	if (e->watch->fd < 0)
		return;
	if (c->handover >= 0 && e->watch == &c->app && e->events & ~POLLOUT)
		acknowledge(c);
	if (e->watch->fd >= 0)
		pump_event(&c->pump, e->watch->fd, e->events);
	step(c);
}

/* c may be closed afterwards. early_ms: how long a connection may be early now. */
static void
look_at_deadlines(struct connection *c, int64_t now, int early_ms)
{
	bool late = c->late_ms && now >= c->late_ms;

	if (late && c->header) {
		log_event(&c->log, "refused", "reason", "no PROXY header in time", "peer", c->ip, (char *)NULL);
		finish(c);
		return;
	}
	if (late && c->handover >= 0)
		acknowledge(c);
	else
		late = false;
	if (c->open && c->pump.early_until_ms)
		c->pump.early_until_ms = c->begun_ms + early_ms;
	if (late || (c->open && pump_deadline_ms(&c->pump) && now >= pump_deadline_ms(&c->pump)))
		step(c);
	else
		expect(c);
}

void
connections_look_at_clock(struct connections *all, int64_t now)
{
	int early_ms = admission_time(all->limits, all->pump.early_ms);
	struct connection *c, *next;

	all->next_ms = 0;
	for (c = all->first; c; c = next) {
		next = c->next;
		look_at_deadlines(c, now, early_ms);
	}
	if (all->next_ms && all->next_ms < now + TICK_MS)
		all->next_ms = now + TICK_MS;
}

void
connections_make_room(struct connections *all)
{
	struct connection *c, *next;

	if (!admission_has_news(all->limits))
		return;
	for (c = all->first; c; c = next) {
		next = c->next;
		if (!admission_is_evicted(all->limits, &c->ticket))
			continue;
		if (c->open) {
			pump_dismiss(&c->pump, REPLY_SHUTDOWN, "evicted", true);
			step(c);
		} else {
			log_event(&c->log, "refused", "reason", "evicted", "peer", c->ip, (char *)NULL);
			finish(c);
		}
	}
}

bool
connections_are_ready(const struct connections *all)
{
	return all->ready != NULL;
}

void
connections_go_on(struct connections *all)
{
	struct connection *c, *list = all->ready;

	all->ready = NULL;
	while ((c = list)) {
		list = c->after;
		c->ready = false;
		if (c->closed) {
			c->after = all->dead;
			all->dead = c;
		} else
			step(c);
	}
	while ((c = all->dead)) {
		all->dead = c->after;
		free(c);
	}
}

void
connections_stop(struct connections *all)
{
	struct connection *c, *next;

	for (c = all->first; c; c = next) {
		next = c->next;
		if (c->header)
			finish(c);
		else {
			pump_stop(&c->pump);
			step(c);
		}
	}
}

void
connections_open(struct connections *all)
{
	all->pump = all->server->pump;
	all->pump.start = start;
	all->pump.forget = forget;
	all->pump.proved = settle;
	all->pump.spare = &all->spare;
}

void
connections_close(struct connections *all)
{
	buf_free(&all->spare.raw);
	buf_free(&all->spare.up);
	buf_free(&all->spare.down);
}
