/* ISC licence, see LICENSE. */
#include "tlsd/tlspump.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <tls.h>

#include "base/clock.h"
#include "smtp/reply.h"
#include "tlsd/tlsstate.h"
#include "tlsd/tlsstep.h"

enum {
	ROUNDS_MAX = 32, /* rounds of one step; others want to be served too */
	SLACK = 1024,    /* octets that a buffer may have too many while its connection waits */
};

void
tlspump_prepared(struct tlspump *p, bool ok)
{
	if (p->state != PREPARING)
		return;
	p->pipelined = p->up.len > 0;
	if (p->pipelined)
		log_error(p->log, "pipelined", "%zu octets behind STARTTLS were dropped", p->up.len);
	buf_clear(&p->up);
	if (ok && tlslink_accept(&p->net, p->conf->tls) < 0) {
		log_error(p->log, "failed", "%s", tls_error(p->conf->tls));
		ok = false;
	}
	if (ok && p->conf->optional)
		tlsstate_end_app(p); /* the stage in the clear: nothing of it is left */
	if (ok)
		tlsstate_enter(p, OFFERED, p->conf->command_ms);
	else if (p->conf->optional)
		tlsstate_enter(p, COMMAND, p->conf->stall_ms);
	else
		tlsstate_enter(p, CLEAR, p->conf->command_ms);
	if (reply_add(&p->down, ok ? REPLY_START_TLS : REPLY_NO_TLS_NOW) < 0)
		tlsstate_give_up(p, "memory");
}

int
tlspump_facts(const struct tlspump *p, struct facts *f)
{
	return tlslink_facts(&p->net, f);
}

bool
tlspump_is_secure(const struct tlspump *p)
{
	return p->net.secure;
}

void
tlspump_started(struct tlspump *p, int app)
{
	if (p->state != STARTING)
		return;
	if (app < 0) {
		tlspump_refused(p, REPLY_TROUBLE);
		return;
	}
	fdpair_open(&p->app, app, app);
	if (!p->net.secure)
		tlsstate_enter(p, FIRST, p->conf->greeting_ms);
	else if (p->conf->implicit)
		tlsstate_enter(p, PUMP, 0);
	else
		tlsstate_enter(p, GREETING, p->conf->greeting_ms);
}

void
tlspump_refused(struct tlspump *p, enum reply r)
{
	if (p->state != STARTING && p->state != GREETING && p->state != FIRST && p->state != PUMP)
		return;
	tlsstate_end_app(p);
	tlsstate_trouble(p, r, "next");
}

void
tlspump_stop(struct tlspump *p)
{
	if (p->state == CLEAR || p->state == PREPARING)
		tlsstate_trouble(p, REPLY_SHUTDOWN, "stop");
}

bool
tlspump_is_through(const struct tlspump *p)
{
	return p->state >= ANSWER;
}

static void
expire(struct tlspump *p)
{
	switch (p->state) {
	case CLEAR:
		tlsstate_trouble(p, REPLY_TIMEOUT, "timeout");
		break;
	case HANDSHAKE:
		log_event(p->log, "handshake", "peer", p->peer, "reason", "not complete in time", (char *)NULL);
		tlsstate_linger(p, "timeout");
		break;
	case GREETING:
	case FIRST:
		tlsstate_no_reply(p, "the next stage gave none in time");
		break;
	case REPLY:
		tlsstate_no_reply(p, "the next stage gave no reply in time");
		break;
	case ANSWER:
		tlsstate_closing(p, "greeting");
		break;
	case LINGER:
		tlsstate_done(p);
		break;
	default:
		tlsstate_give_up(p, "timeout");
	}
}

/* Most connections wait most of the time: one that does keeps no buffer without content, and none larger than that. */
static void
put_back(struct buf *b, struct buf *spare)
{
	char *fit;

	if (b->len == 0 && spare && !spare->p) {
		*spare = *b;
		*b = (struct buf){ 0 };
	} else if (b->len == 0)
		buf_free(b);
	else if (b->cap > 2 * b->len + SLACK && (fit = realloc(b->p, b->len + 1))) {
		b->p = fit;
		b->cap = b->len + 1;
	}
}

static void
release(struct tlspump *p)
{
	struct tlspump_spare *spare = p->conf->spare;

	if (p->net.raw_pos == p->net.raw.len) {
		buf_clear(&p->net.raw);
		p->net.raw_pos = 0;
	}
	put_back(&p->net.raw, spare ? &spare->raw : NULL);
	put_back(&p->up, spare ? &spare->up : NULL);
	put_back(&p->down, spare ? &spare->down : NULL);
}

static void
take_out(struct buf *b, struct buf *spare)
{
	if (!b->p) {
		*b = *spare;
		*spare = (struct buf){ 0 };
	}
}

/* The buffers of the connection that was served before. */
static void
borrow(struct tlspump *p)
{
	struct tlspump_spare *spare = p->conf->spare;

	if (!spare)
		return;
	take_out(&p->net.raw, &spare->raw);
	take_out(&p->up, &spare->up);
	take_out(&p->down, &spare->down);
}

enum tlspump_need
tlspump_step(struct tlspump *p)
{
	int round;

	borrow(p);
	for (round = 0; round < ROUNDS_MAX; round++) {
		bool moved = tlsstep(p) != 0;

		if (p->state == PREPARING)
			return TLSPUMP_PREPARE;
		if (p->state == STARTING)
			return TLSPUMP_START;
		if (p->state == DONE)
			return TLSPUMP_DONE;
		if (moved)
			continue;
		if (p->deadline_ms == 0 || clock_ms() < p->deadline_ms) {
			release(p);
			return TLSPUMP_WAIT;
		}
		expire(p);
	}
	return TLSPUMP_AGAIN;
}

static size_t
add_fd(struct pollfd fds[TLSPUMP_FDS], size_t n, int fd, short events)
{
	if (n > 0 && fds[n - 1].fd == fd)
		fds[n - 1].events |= events;
	else
		fds[n++] = (struct pollfd){ .fd = fd, .events = events };
	return n;
}

/*
 * A descriptor that nothing is wanted of is left out: poll would say POLLHUP again and again where nobody may read yet.
 */
size_t
tlspump_poll(const struct tlspump *p, struct pollfd fds[TLSPUMP_FDS])
{
	short net = 0, app = 0;
	size_t n = 0;

	switch (p->state) {
	case CLEAR:
		net = p->down.len > 0 ? p->net.write_wants : p->net.read_wants;
		break;
	case OFFERED:
		net = POLLOUT;
		break;
	case HANDSHAKE:
	case ANSWER:
		net = p->net.read_wants;
		break;
	case GREETING:
	case FIRST:
	case REPLY:
		app = POLLIN;
		break;
	case COMMAND:
		net = p->down.len > 0 ? p->net.write_wants : p->net.read_wants;
		app = p->down.len > 0 ? 0 : POLLIN;
		break;
	case PASS:
		app = POLLOUT;
		break;
	case PUMP:
		if (p->up.len > 0)
			app |= POLLOUT;
		else if (!p->up_eof && !p->app_deaf)
			net |= p->net.read_wants;
		if (p->down.len > 0)
			net |= p->net.write_wants;
		else
			app |= POLLIN;
		break;
	case CLOSING:
		net = p->net.write_wants ? p->net.write_wants : POLLOUT;
		break;
	case LINGER:
		net = POLLIN;
		break;
	}
	if (net & POLLIN)
		n = add_fd(fds, n, p->net.side.in, POLLIN);
	if (net & POLLOUT)
		n = add_fd(fds, n, p->net.side.out, POLLOUT);
	if (app)
		n = add_fd(fds, n, p->app.in, app);
	return n;
}

void
tlspump_event(struct tlspump *p, int fd, short events)
{
	fdpair_event(&p->net.side, fd, events);
	fdpair_event(&p->app, fd, events);
}

int
tlspump_open(struct tlspump *p, const struct tlspump_conf *conf, int in, int out, const struct log *log,
    const char *peer)
{
	*p = (struct tlspump){ .conf = conf, .log = log, .peer = peer, .app = { .in = -1, .out = -1 } };
	p->clear = (struct cleartext){ .host = conf->host, .lmtp = conf->lmtp };
	p->start_ms = clock_ms();
	tlslink_open(&p->net, in, out);
	if (conf->implicit) {
		tlsstate_enter(p, HANDSHAKE, conf->handshake_ms);
		if (tlslink_accept(&p->net, conf->tls) == 0)
			return 0;
		log_error(log, "failed", "%s", tls_error(conf->tls));
	} else if (conf->optional) {
		tlsstate_enter(p, STARTING, 0);
		return 0;
	} else {
		tlsstate_converse(p);
		if (cleartext_greet(&p->clear, &p->down) == 0)
			return 0;
	}
	tlspump_close(p);
	errno = ENOMEM;
	return -1;
}

void
tlspump_close(struct tlspump *p)
{
	tlsstate_end_app(p);
	tlslink_close(&p->net);
	buf_free(&p->up);
	buf_free(&p->down);
	p->state = DONE;
}
