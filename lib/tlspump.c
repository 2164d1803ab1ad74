/* ISC licence, see LICENSE. */
#include "tlspump.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tls.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "relay.h"
#include "reply.h"

enum state {
	CLEAR, PREPARING, OFFERED, HANDSHAKE, STARTING, GREETING, FIRST, /* the next stage has not spoken yet */
	ANSWER, COMMAND, PASS, REPLY, PUMP, CLOSING, LINGER, DONE
};

enum {
	CHUNK = TLSLINK_CHUNK,
	RECORD = 16384,     /* octets in a TLS record, at most */
	CLEAR_CHUNK = 1024, /* the same before TLS, where a line is 512 */
	ROUNDS_MAX = 32,    /* rounds of one step; others want to be served too */
};

static void
enter(struct tlspump *p, enum state state, int wait_ms)
{
	p->state = state;
	p->deadline_ms = wait_ms > 0 ? clock_ms() + wait_ms : 0;
}

static void
end_app(struct tlspump *p)
{
	if (p->app.in >= 0) {
		if (p->conf->forget)
			p->conf->forget(p, p->conf->forget_arg);
		close(p->app.in);
	}
	p->app.in = p->app.out = -1;
}

static void
done(struct tlspump *p)
{
	char in[24], out[24], ms[24];
	bool secure = p->net.secure;

	snprintf(in, sizeof in, "%llu", (unsigned long long)p->in_octets);
	snprintf(out, sizeof out, "%llu", (unsigned long long)p->out_octets);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - p->start_ms));
	log_event(p->log, "done", "tls", secure ? tls_conn_version(p->net.tls) : NULL, "cipher",
	    secure ? tls_conn_cipher(p->net.tls) : NULL, "in", in, "out", out, "ms", ms, "peer", p->peer, "end",
	    p->end, (char *)NULL);
	end_app(p);
	enter(p, DONE, 0);
}

/* Everything is said, or nothing more can be. */
static void
linger(struct tlspump *p, const char *end)
{
	if (!p->end)
		p->end = end;
	end_app(p);
	if (p->net.eof || p->up_eof || !p->net.side.out_socket || shutdown(p->net.side.out, SHUT_WR) < 0)
		done(p);
	else
		enter(p, LINGER, p->conf->linger_ms);
}

static void
closing(struct tlspump *p, const char *end)
{
	p->end = end;
	p->net.write_wants = 0;
	enter(p, CLOSING, p->conf->stall_ms);
}

/* No further octet can be had or sent. */
static void
give_up(struct tlspump *p, const char *end)
{
	p->end = end;
	done(p);
}

/* 421 where a reply may stand, then the end. */
static void
trouble(struct tlspump *p, enum reply r, const char *end)
{
	if (reply_add(&p->down, r) < 0)
		give_up(p, "memory");
	else
		closing(p, end);
}

/* Send of down what goes. 1: it moved; 0: not now; -1: the client is gone. */
static int
send_down(struct tlspump *p)
{
	ssize_t r = tlslink_write(&p->net, p->down.p + p->down_pos, p->down.len - p->down_pos);

	if (r == SIDE_WAIT)
		return 0;
	if (r < 0)
		return -1;
	p->down_pos += (size_t)r;
	if (p->down_pos == p->down.len) {
		buf_clear(&p->down);
		p->down_pos = 0;
	}
	return 1;
}

/*
 * Take into up all that is there, so that it leaves in one write. 1: something came, or the end (up_eof); 0: not now.
 * What breaks the connection ends it.
 */
static int
read_up(struct tlspump *p)
{
	size_t was = p->up.len; /* less than a line */
	ssize_t r;

	if (!tlslink_may_read(&p->net))
		return 0;
	if (buf_room(&p->up, CHUNK - was) < 0) {
		give_up(p, "memory");
		return 1;
	}
	while ((r = tlslink_read(&p->net, p->up.p + p->up.len, CHUNK - p->up.len)) > 0) {
		p->up.len += (size_t)r;
		p->in_octets += (size_t)r;
		if (p->up.len > CHUNK - RECORD)
			return 1;
	}
	if (p->up.len > was) /* if this is the end it will say so again */
		return 1;
	if (r == SIDE_WAIT)
		return 0;
	if (r != 0) {
		bool cut = tlslink_is_cut(&p->net);

		if (!tail_is_goodbye(&p->tail)) /* after that many clients do not trouble to say theirs */
			log_error(p->log, cut ? "truncated" : "broken", "%s", cut ? "no close_notify" :
			    tlslink_reason(&p->net));
		if (!cut)
			give_up(p, "broken");
	}
	p->up_eof = true;
	return 1;
}

/* The next stage did not answer as it must. */
static void
no_reply(struct tlspump *p, const char *reason)
{
	log_event(p->log, p->state == REPLY ? "reply" : "greeting", "reason", reason, "text",
	    p->down.len ? p->down.p : NULL, (char *)NULL);
	buf_clear(&p->down);
	trouble(p, REPLY_TROUBLE, "next");
}

/* A dialogue of our own begins: the one before TLS, or the one that leads nowhere for want of a certificate. */
static void
converse(struct tlspump *p)
{
	enter(p, CLEAR, p->conf->command_ms);
	p->clear_until_ms = p->deadline_ms + p->conf->command_ms;
}

/* Under TLS without the certificate that is required (RFC 3207 4.1): no next stage, and a greeting where none was. */
static void
demand(struct tlspump *p)
{
	log_event(p->log, "refused", "reason", "no client certificate", "peer", p->peer, (char *)NULL);
	p->clear.refused = true;
	converse(p);
	if (p->conf->implicit && cleartext_greet(&p->clear, &p->down) < 0)
		give_up(p, "memory");
}

static int
clear(struct tlspump *p)
{
	char data[CLEAR_CHUNK];
	ssize_t r;

	for (;;)
		switch (cleartext_take(&p->clear, &p->up, &p->down)) {
		case CLEARTEXT_LINE:
			p->deadline_ms = clock_ms() + p->conf->command_ms;
			if (p->deadline_ms > p->clear_until_ms)
				p->deadline_ms = p->clear_until_ms;
			continue;
		case CLEARTEXT_STARTTLS:
			enter(p, PREPARING, 0);
			return 1;
		case CLEARTEXT_END:
			closing(p, p->clear.errors >= CLEARTEXT_ERRORS_MAX ? "errors" : NULL);
			return 1;
		case CLEARTEXT_ERROR:
			give_up(p, "memory");
			return 1;
		case CLEARTEXT_MORE:
			if (p->down.len > 0) {
				if ((r = send_down(p)) < 0)
					give_up(p, "gone");
				return r != 0;
			}
			r = tlslink_read(&p->net, data, sizeof data);
			if (r == SIDE_WAIT)
				return 0;
			if (r <= 0 || buf_add(&p->up, data, (size_t)r) < 0)
				give_up(p, r <= 0 ? "gone" : "memory");
			return 1;
		}
}

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
		end_app(p); /* the stage in the clear: nothing of it is left */
	if (ok)
		enter(p, OFFERED, p->conf->command_ms);
	else if (p->conf->optional)
		enter(p, COMMAND, p->conf->stall_ms);
	else
		enter(p, CLEAR, p->conf->command_ms);
	if (reply_add(&p->down, ok ? REPLY_START_TLS : REPLY_NO_TLS_NOW) < 0)
		give_up(p, "memory");
}

/*
 * The 220 is going out. A client that did not wait for it has sent something else than a ClientHello, or somebody else
 * has on its behalf: this ends as it would have ended had those octets come a moment later.
 */
static int
offered(struct tlspump *p)
{
	int r = p->down.len > 0 ? send_down(p) : 1;

	if (r < 0)
		give_up(p, "gone");
	else if (p->down.len == 0 && p->pipelined)
		linger(p, "pipelined");
	else if (p->down.len == 0)
		enter(p, HANDSHAKE, p->conf->handshake_ms);
	return r != 0;
}

static int
handshake(struct tlspump *p)
{
	int r = tlslink_handshake(&p->net);

	if (r == 0)
		return 0;
	if (r < 0) {
		log_event(p->log, "handshake", "peer", p->peer, "reason", tlslink_reason(&p->net), (char *)NULL);
		linger(p, "handshake");
		return 1;
	}
	p->in_octets = p->out_octets = 0;
	if (p->conf->certificate && !tlslink_has_certificate(&p->net))
		demand(p);
	else
		enter(p, STARTING, 0);
	return 1;
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
	side_open(&p->app, app, app);
	if (!p->net.secure)
		enter(p, FIRST, p->conf->greeting_ms);
	else if (p->conf->implicit)
		enter(p, PUMP, 0);
	else
		enter(p, GREETING, p->conf->greeting_ms);
}

void
tlspump_refused(struct tlspump *p, enum reply r)
{
	if (p->state != STARTING && p->state != GREETING && p->state != FIRST && p->state != PUMP)
		return;
	end_app(p);
	trouble(p, r, "next");
}

void
tlspump_stop(struct tlspump *p)
{
	if (p->state == CLEAR || p->state == PREPARING)
		trouble(p, REPLY_SHUTDOWN, "stop");
}

bool
tlspump_is_through(const struct tlspump *p)
{
	return p->state >= ANSWER;
}

/* Take up to max octets more of the next stage's reply into down. As reply_whole; SIDE_WAIT; a short one is -1 too. */
static ssize_t
take_reply(struct tlspump *p, size_t max, int *code)
{
	ssize_t r, n;

	if (buf_room(&p->down, max) < 0) {
		give_up(p, "memory");
		return 0;
	}
	r = side_read(&p->app, p->down.p + p->down.len, max);
	if (r == SIDE_WAIT)
		return r;
	if (r <= 0)
		return -1;
	p->down.len += (size_t)r;
	p->down.p[p->down.len] = '\0';
	n = reply_whole(p->down.p, p->down.len, code);
	return n == 0 && p->down.len >= max ? -1 : n;
}

static int
greeting(struct tlspump *p)
{
	int code;
	ssize_t n = take_reply(p, TLSPUMP_GREETING_MAX, &code);

	if (n == SIDE_WAIT)
		return 0;
	if (n < 0)
		no_reply(p, "the next stage gave none");
	else if (n > 0 && code == 220) {
		buf_consume(&p->down, (size_t)n);
		tail_note(&p->tail, p->down.p, p->down.len);
		p->out_octets += p->down.len;
		enter(p, PUMP, 0);
	} else if (n > 0) {
		p->down.p[p->down.len = (size_t)n] = '\0';
		log_event(p->log, "greeting", "text", p->down.p, (char *)NULL);
		end_app(p);
		enter(p, ANSWER, p->conf->command_ms);
	}
	return 1;
}

static int
answer(struct tlspump *p)
{
	int moved = read_up(p);

	if (p->state == ANSWER && (p->up_eof || p->up.len >= LINE_COMMAND_MAX ||
	                              (p->up.len > 0 && memchr(p->up.p, '\n', p->up.len))))
		closing(p, "greeting");
	return moved;
}

/* From the client to the next stage. */
static int
pump_up(struct tlspump *p)
{
	ssize_t r;

	if (p->up_pos < p->up.len) {
		r = side_write(&p->app, p->up.p + p->up_pos, p->up.len - p->up_pos);
		if (r == SIDE_WAIT)
			return 0;
		if (r < 0) { /* its output may go on */
			p->app_deaf = true;
			p->up_pos = p->up.len;
		} else
			p->up_pos += (size_t)r;
		if (p->up_pos == p->up.len) {
			buf_clear(&p->up);
			p->up_pos = 0;
		}
		return 1;
	}
	if (p->up_eof && !p->up_shut) {
		shutdown(p->app.out, SHUT_WR);
		p->up_shut = true;
	}
	return p->up_eof || p->app_deaf ? 0 : read_up(p);
}

/* This much of the next stage's output is in down, or it ended. */
static void
take_down(struct tlspump *p, ssize_t r)
{
	if (r > 0) {
		p->down.len = (size_t)r;
		p->out_octets += (size_t)r;
		tail_note(&p->tail, p->down.p, (size_t)r);
	} else
		p->app_eof = true;
}

/* From the next stage to the client, and the end of that. */
static int
pump_down(struct tlspump *p)
{
	ssize_t r;

	if (p->down.len > 0) {
		r = send_down(p);
		if (r < 0) {
			if (!tail_is_goodbye(&p->tail))
				log_error(p->log, "broken", "%s", tlslink_reason(&p->net));
			give_up(p, "gone");
		}
		return r != 0;
	}
	if (!p->app_eof) {
		if (!p->app.readable)
			return 0;
		if (buf_room(&p->down, CHUNK) < 0) {
			give_up(p, "memory");
			return 1;
		}
		r = side_read(&p->app, p->down.p, CHUNK);
		if (r == SIDE_WAIT)
			return 0;
		take_down(p, r);
		return 1;
	}
	if (p->up_eof || tail_is_goodbye(&p->tail))
		closing(p, p->end);
	else {
		log_error(p->log, "next", "it ended without 221 or 421");
		if (tail_is_complete(&p->tail))
			trouble(p, REPLY_TROUBLE, "next");
		else
			closing(p, "next");
	}
	return 1;
}

/* The octets of up that are the client's command go to the stage in the clear. */
static int
pass(struct tlspump *p)
{
	ssize_t r = side_write(&p->app, p->up.p + p->up_pos, p->line - p->up_pos);

	if (r == SIDE_WAIT)
		return 0;
	if (r > 0)
		p->up_pos += (size_t)r;
	if (r > 0 && p->up_pos < p->line)
		return 1;
	buf_consume(&p->up, p->line); /* also where it reads no more: it may still have said something */
	p->up_pos = 0;
	enter(p, REPLY, p->conf->greeting_ms);
	return 1;
}

/* Its greeting, or its reply to that command. What comes behind is nobody's reply: then no more is looked at. */
static int
reply(struct tlspump *p)
{
	bool hello = p->state == REPLY && (p->verb == VERB_EHLO || p->verb == VERB_LHLO), blind;
	int code = 0;
	ssize_t n = take_reply(p, RELAY_REPLY_MAX, &code);

	if (n == SIDE_WAIT)
		return 0;
	if (n < 0)
		no_reply(p, p->state == FIRST ? "the next stage gave none" : "the next stage gave no reply");
	if (n <= 0)
		return 1;
	blind = (size_t)n < p->down.len || !relay_goes_on(code);
	if (hello && code == 250 && !blind && relay_offer(&p->down, p->conf->tls != NULL) < 0) {
		give_up(p, "memory");
		return 1;
	}
	tail_note(&p->tail, p->down.p, p->down.len);
	p->out_octets += p->down.len;
	enter(p, blind ? PUMP : COMMAND, blind ? 0 : p->conf->stall_ms);
	return 1;
}

static int
starttls(struct tlspump *p, bool argument)
{
	enum reply r = argument ? REPLY_SOME_ARGUMENT : REPLY_NO_TLS_NOW;

	if (p->conf->tls && !argument) {
		enter(p, PREPARING, 0);
		return 1;
	}
	if (reply_add(&p->down, r) < 0)
		give_up(p, "memory");
	else
		enter(p, COMMAND, p->conf->stall_ms);
	return 1;
}

/* In the clear before a stage, where the next command may be STARTTLS. The stage has the deadline for it. */
static int
command(struct tlspump *p)
{
	bool argument;
	ssize_t r;
	size_t n;

	if (p->down.len > 0) {
		if ((r = send_down(p)) < 0)
			give_up(p, "gone");
		else if (p->down.len == 0)
			p->deadline_ms = 0;
		return r != 0;
	}
	if (p->app.readable) { /* it has something to say that nobody asked for, or it ended */
		if (buf_room(&p->down, CLEAR_CHUNK) < 0) {
			give_up(p, "memory");
			return 1;
		}
		r = side_read(&p->app, p->down.p, CLEAR_CHUNK);
		if (r != SIDE_WAIT) {
			take_down(p, r);
			enter(p, PUMP, 0);
			return 1;
		}
	}
	switch (relay_look(&p->up, &n, &p->verb, &argument)) {
	case RELAY_PASS:
		p->line = n;
		enter(p, PASS, p->conf->stall_ms);
		return 1;
	case RELAY_STARTTLS:
		buf_consume(&p->up, n);
		return starttls(p, argument);
	case RELAY_BLIND:
		enter(p, PUMP, 0);
		return 1;
	case RELAY_MORE:
		break;
	}
	if (buf_room(&p->up, CLEAR_CHUNK) < 0) {
		give_up(p, "memory");
		return 1;
	}
	r = tlslink_read(&p->net, p->up.p + p->up.len, CLEAR_CHUNK);
	if (r == SIDE_WAIT)
		return 0;
	if (r > 0) {
		p->up.len += (size_t)r;
		p->in_octets += (size_t)r;
	} else if (r == 0) {
		p->up_eof = true;
		enter(p, PUMP, 0);
	} else
		give_up(p, "gone");
	return 1;
}

/* A deadline only while somebody owes us something; the stages behind have theirs for the rest. */
static int
pump(struct tlspump *p)
{
	int up = pump_up(p);
	int down = p->state == PUMP ? pump_down(p) : 0;

	if (p->state == PUMP) {
		if (p->down.len == 0 && !p->up_eof && !p->app_deaf)
			p->deadline_ms = 0;
		else if (down || (up && p->down.len == 0) || p->deadline_ms == 0)
			p->deadline_ms = clock_ms() + p->conf->stall_ms;
	}
	return up || down;
}

static int
close_step(struct tlspump *p)
{
	int r;

	if (p->down.len > 0) {
		if ((r = send_down(p)) < 0)
			give_up(p, p->end ? p->end : "gone");
		return r != 0;
	}
	if (p->net.secure && tlslink_finish(&p->net) == SIDE_WAIT)
		return 0;
	linger(p, NULL);
	return 1;
}

static int
linger_step(struct tlspump *p)
{
	char data[CLEAR_CHUNK];
	ssize_t r = side_read(&p->net.side, data, sizeof data);

	if (r == SIDE_WAIT)
		return 0;
	if (r <= 0)
		done(p);
	return 1;
}

static void
expire(struct tlspump *p)
{
	switch (p->state) {
	case CLEAR:
		trouble(p, REPLY_TIMEOUT, "timeout");
		break;
	case HANDSHAKE:
		log_event(p->log, "handshake", "peer", p->peer, "reason", "not complete in time", (char *)NULL);
		linger(p, "timeout");
		break;
	case GREETING:
	case FIRST:
		no_reply(p, "the next stage gave none in time");
		break;
	case REPLY:
		no_reply(p, "the next stage gave no reply in time");
		break;
	case ANSWER:
		closing(p, "greeting");
		break;
	case LINGER:
		done(p);
		break;
	default:
		give_up(p, "timeout");
	}
}

static int
advance(struct tlspump *p)
{
	switch (p->state) {
	case CLEAR:
		return clear(p);
	case OFFERED:
		return offered(p);
	case HANDSHAKE:
		return handshake(p);
	case GREETING:
		return greeting(p);
	case ANSWER:
		return answer(p);
	case COMMAND:
		return command(p);
	case PASS:
		return pass(p);
	case FIRST:
	case REPLY:
		return reply(p);
	case PUMP:
		return pump(p);
	case CLOSING:
		return close_step(p);
	case LINGER:
		return linger_step(p);
	}
	return 0;
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
	else if (b->cap > 2 * b->len + CLEAR_CHUNK && (fit = realloc(b->p, b->len + 1))) {
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
		bool moved = advance(p) != 0;

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
	side_event(&p->net.side, fd, events);
	side_event(&p->app, fd, events);
}

int
tlspump_open(struct tlspump *p, const struct tlspump_conf *conf, int in, int out, const struct log *log,
    const char *peer)
{
	const int on = 1;

	*p = (struct tlspump){ .conf = conf, .log = log, .peer = peer, .app = { .in = -1, .out = -1 } };
	p->clear = (struct cleartext){ .host = conf->host, .lmtp = conf->lmtp };
	p->start_ms = clock_ms();
	tlslink_open(&p->net, in, out);
	if (p->net.side.out_socket) { /* no harm where it is not TCP */
		setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(out, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	if (conf->implicit) {
		enter(p, HANDSHAKE, conf->handshake_ms);
		if (tlslink_accept(&p->net, conf->tls) == 0)
			return 0;
		log_error(log, "failed", "%s", tls_error(conf->tls));
	} else if (conf->optional) {
		enter(p, STARTING, 0);
		return 0;
	} else {
		converse(p);
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
	end_app(p);
	tlslink_close(&p->net);
	buf_free(&p->up);
	buf_free(&p->down);
	p->state = DONE;
}
