/* ISC licence, see LICENSE. */
#include "tlsd/pump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/lineio.h"
#include "smtp/greet.h"
#include "smtp/reply.h"
#include "tlsd/pump_impl.h"

enum {
	CHUNK = TLSLINK_CHUNK,
	RECORD = 16384,  /* octets of a TLS record, at most */
	ROUNDS_MAX = 32, /* rounds of one step; then other connections are served */
	SLACK = 1024,    /* unused octets that a waiting connection's buffer may keep */
};

/* From any state to another */

void
pump_enter(struct pump *p, enum pump_state state, int wait_ms)
{
	p->state = state;
	p->deadline_ms = wait_ms > 0 ? clock_ms() + wait_ms : 0;
}

void
pump_end_app(struct pump *p)
{
	if (p->app.in >= 0) {
		if (p->conf->forget)
			p->conf->forget(p->owner);
		close(p->app.in);
	}
	p->app.in = p->app.out = -1;
}

/* Returns true for somebody who came, at most read the greeting, and went: a monitor that looks whether we answer. */
static bool
is_visit(const struct pump *p)
{
	return !p->heard && !p->net.secure && p->in_octets == 0 && p->out_octets == 0 && p->end && strcmp(p->end, "gone") == 0;
}

enum pump_fate
pump_fate(const struct pump *p)
{
	const char *end = p->end ? p->end : "";

	if (p->proof.given || is_visit(p))
		return PUMP_HARMLESS;
	return strcmp(end, "unproved") == 0 || strcmp(end, "timeout") == 0 ? PUMP_STALLED :
	    strcmp(end, "handshake") == 0 ? PUMP_BROKEN : PUMP_UNPROVED;
}

void
pump_finish(struct pump *p)
{
	char in[24], out[24], ms[24];
	bool secure = p->net.secure;

	snprintf(in, sizeof in, "%llu", (unsigned long long)p->in_octets);
	snprintf(out, sizeof out, "%llu", (unsigned long long)p->out_octets);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - p->start_ms));
	if (!is_visit(p))
		log_event(p->log, "done", "tls", secure ? tls_conn_version(p->net.tls) : NULL, "cipher",
		    secure ? tls_conn_cipher(p->net.tls) : NULL, "in", in, "out", out, "ms", ms, "peer", p->peer,
		    "certificate", p->net.not_good, "end", p->end, (char *)NULL);
	pump_end_app(p);
	pump_enter(p, PUMP_S_DONE, 0);
}

void
pump_linger(struct pump *p, const char *end)
{
	if (!p->end)
		p->end = end;
	pump_end_app(p);
	if (p->at_once || p->net.eof || p->up_eof || !p->net.side.out_socket || shutdown(p->net.side.out, SHUT_WR) < 0)
		pump_finish(p);
	else
		pump_enter(p, PUMP_S_LINGER, p->conf->linger_ms);
}

void
pump_close_after(struct pump *p, const char *end)
{
	p->end = end;
	p->net.write_wants = 0;
	pump_enter(p, PUMP_S_CLOSING, p->conf->stall_ms);
}

void
pump_give_up(struct pump *p, const char *end)
{
	p->end = end;
	pump_finish(p);
}

void
pump_trouble(struct pump *p, enum reply r, const char *end)
{
	if (reply_add(&p->down, r) < 0)
		pump_give_up(p, "memory");
	else
		pump_close_after(p, end);
}

void
pump_no_reply(struct pump *p, const char *reason)
{
	log_event(p->log, p->state == PUMP_S_REPLY ? "reply" : "greeting", "reason", reason, "text",
	    p->down.len ? p->down.p : NULL, (char *)NULL);
	buf_clear(&p->down);
	pump_trouble(p, REPLY_TROUBLE, "next");
}

/* Octets to the client, and the next stage's replies */

int
pump_send_down(struct pump *p)
{
	ssize_t r = tlslink_write(&p->net, p->down.p + p->down_pos, p->down.len - p->down_pos);

	if (r == FDPAIR_WAIT)
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

/* down holds output of the next stage: take away what the client must not get, and note the rest. */
static void
note_down(struct pump *p)
{
	bool was_proved = p->proof.given;

	if (p->net.secure && veil_pass(&p->veil, &p->down, p->app_eof) < 0) {
		pump_give_up(p, "memory");
		return;
	}
	if (p->down.len > 0) {
		lastreply_note(&p->tail, p->down.p, p->down.len);
		proof_down(&p->proof, p->down.p, p->down.len);
	}
	if (p->proof.given && !was_proved) {
		p->early_until_ms = 0;
		if (p->conf->proved)
			p->conf->proved(p->owner);
	}
	p->out_octets += p->down.len;
}

void
pump_take_down(struct pump *p, ssize_t r)
{
	if (r > 0)
		p->down.len = (size_t)r;
	else
		p->app_eof = true;
	note_down(p);
}

ssize_t
pump_take_reply(struct pump *p, size_t max, int *code)
{
	ssize_t r, n;

	if (buf_room(&p->down, max) < 0) {
		pump_give_up(p, "memory");
		return 0;
	}
	r = fdpair_read(&p->app, p->down.p + p->down.len, max);
	if (r == FDPAIR_WAIT)
		return r;
	if (r <= 0)
		return -1;
	p->down.len += (size_t)r;
	p->down.p[p->down.len] = '\0';
	n = reply_whole(p->down.p, p->down.len, code);
	return n == 0 && p->down.len >= max ? -1 : n;
}

/* The next stage */

static int
start(struct pump *p)
{
	enum reply r = REPLY_TROUBLE;
	int app = p->conf->start(p->owner, &r);

	if (app == PUMP_LATER)
		pump_enter(p, PUMP_S_HANDING, PUMP_RETRY_MS);
	else if (app < 0)
		pump_trouble(p, r, "next");
	else {
		fdpair_open(&p->app, app, app);
		if (!p->net.secure)
			pump_enter(p, PUMP_S_FIRST, p->conf->greeting_ms);
		else if (p->conf->implicit)
			pump_enter(p, PUMP_S_PUMP, 0);
		else
			pump_enter(p, PUMP_S_GREETING, p->conf->greeting_ms);
	}
	return 1;
}

void
pump_refuse(struct pump *p, enum reply r)
{
	if (p->state != PUMP_S_GREETING && p->state != PUMP_S_FIRST && p->state != PUMP_S_PUMP)
		return;
	pump_end_app(p);
	pump_trouble(p, r, "next");
}

static int
greeting(struct pump *p)
{
	int code;
	ssize_t n = pump_take_reply(p, PUMP_GREETING_MAX, &code);

	if (n == FDPAIR_WAIT)
		return 0;
	if (n < 0)
		pump_no_reply(p, "the next stage gave no greeting");
	else if (n > 0 && code == 220) {
		buf_consume(&p->down, (size_t)n);
		pump_enter(p, PUMP_S_PUMP, 0);
		note_down(p);
	} else if (n > 0) {
		p->down.p[p->down.len = (size_t)n] = '\0';
		log_event(p->log, "greeting", "text", p->down.p, (char *)NULL);
		pump_end_app(p);
		pump_enter(p, PUMP_S_ANSWER, p->conf->command_ms);
	}
	return 1;
}

/* Both ways */

/*
 * Read everything that has come into up, so that it leaves in one write. Returns 1 if octets or the end (up_eof) came,
 * 0 if not now. An error ends the connection.
 */
static int
read_up(struct pump *p)
{
	size_t was = p->up.len; /* not 0 only in ANSWER, where it is less than a line */
	ssize_t r;

	if (!tlslink_may_read(&p->net))
		return 0;
	if (buf_room(&p->up, CHUNK - was) < 0) {
		pump_give_up(p, "memory");
		return 1;
	}
	while ((r = tlslink_read(&p->net, p->up.p + p->up.len, CHUNK - p->up.len)) > 0) {
		p->up.len += (size_t)r;
		p->in_octets += (size_t)r;
		if (p->up.len > CHUNK - RECORD)
			return 1;
	}
	if (p->up.len > was) /* the next read reports an end again */
		return 1;
	if (r == FDPAIR_WAIT)
		return 0;
	if (r != 0) {
		bool cut = tlslink_is_cut(&p->net);

		if (!lastreply_is_goodbye(&p->tail)) /* after 221 many clients send no close_notify */
			log_error(p->log, cut ? "truncated" : "broken", "%s", cut ? "no close_notify" :
			    tlslink_reason(&p->net));
		if (!cut)
			pump_give_up(p, "broken");
	}
	p->up_eof = true;
	return 1;
}

/* down holds the greeting, which answers the first command that comes. */
static int
answer(struct pump *p)
{
	int moved = read_up(p);

	if (p->state == PUMP_S_ANSWER &&
	    (p->up_eof || p->up.len >= LINE_COMMAND_MAX || (p->up.len > 0 && memchr(p->up.p, '\n', p->up.len))))
		pump_close_after(p, "greeting");
	return moved;
}

/*
 * Empty b and overwrite what was in it: a password, perhaps, and this process holds those of many clients. OpenSSL's
 * buffers are overwritten by OpenSSL (openssl_start).
 */
static void
wipe(struct buf *b)
{
	explicit_bzero(b->p, b->len);
	buf_clear(b);
}

static int
pump_up(struct pump *p)
{
	ssize_t r;

	if (p->up_pos < p->up.len) {
		r = fdpair_write(&p->app, p->up.p + p->up_pos, p->up.len - p->up_pos);
		if (r == FDPAIR_WAIT)
			return 0;
		if (r < 0) { /* the stage reads no more, but may still write */
			p->app_deaf = true;
			p->up_pos = p->up.len;
		} else {
			proof_up(&p->proof, p->up.p + p->up_pos, (size_t)r);
			p->up_pos += (size_t)r;
		}
		if (p->up_pos == p->up.len) {
			wipe(&p->up);
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

/* After the end of the next stage's output, close. */
static int
pump_down(struct pump *p)
{
	ssize_t r;

	if (p->down.len > 0) {
		r = pump_send_down(p);
		if (r < 0) {
			if (!lastreply_is_goodbye(&p->tail))
				log_error(p->log, "broken", "%s", tlslink_reason(&p->net));
			pump_give_up(p, "gone");
		}
		return r != 0;
	}
	if (!p->app_eof) {
		if (!p->app.readable)
			return 0;
		if (buf_room(&p->down, CHUNK) < 0) {
			pump_give_up(p, "memory");
			return 1;
		}
		r = fdpair_read(&p->app, p->down.p, CHUNK);
		if (r == FDPAIR_WAIT)
			return 0;
		pump_take_down(p, r);
		return 1;
	}
	if (p->up_eof || lastreply_is_goodbye(&p->tail))
		pump_close_after(p, p->end);
	else {
		log_error(p->log, "next", "it ended without 221 or 421");
		if (lastreply_is_complete(&p->tail))
			pump_trouble(p, REPLY_TROUBLE, "next");
		else
			pump_close_after(p, "next");
	}
	return 1;
}

/*
 * There is a deadline only while a side owes us something: a client that takes no output, a stage that does not end
 * after its input did. Other waits are the next stage's, which has its own deadlines.
 */
static int
pump_both(struct pump *p)
{
	int up = pump_up(p);
	int down = p->state == PUMP_S_PUMP ? pump_down(p) : 0;

	if (p->state == PUMP_S_PUMP) {
		if (p->down.len == 0 && !p->up_eof && !p->app_deaf)
			p->deadline_ms = 0;
		else if (down || (up && p->down.len == 0) || p->deadline_ms == 0)
			p->deadline_ms = clock_ms() + p->conf->stall_ms;
	}
	return up || down;
}

/* The end */

static int
close_step(struct pump *p)
{
	int r;

	if (p->down.len > 0) {
		if ((r = pump_send_down(p)) < 0)
			pump_give_up(p, p->end ? p->end : "gone");
		if (r == 0 && p->at_once)
			pump_finish(p);
		return r != 0 || p->at_once;
	}
	if (p->net.secure && tlslink_finish(&p->net) == FDPAIR_WAIT && !p->at_once)
		return 0;
	pump_linger(p, NULL);
	return 1;
}

static int
linger_step(struct pump *p)
{
	char data[PUMP_CLEAR_CHUNK];
	ssize_t r = fdpair_read(&p->net.side, data, sizeof data);

	if (r == FDPAIR_WAIT)
		return 0;
	if (r <= 0)
		pump_finish(p);
	return 1;
}

/* One step */

/* Do one thing that can be done in the state that p is in. Returns 0 if nothing can be done. */
static int
act(struct pump *p)
{
	switch ((enum pump_state)p->state) {
	case PUMP_S_CLEAR:
		return pump_clear(p);
	case PUMP_S_OFFERED:
		return pump_offered(p);
	case PUMP_S_HANDSHAKE:
		return pump_shake_hands(p);
	case PUMP_S_STARTING:
		return start(p);
	case PUMP_S_GREETING:
		return greeting(p);
	case PUMP_S_ANSWER:
		return answer(p);
	case PUMP_S_COMMAND:
		return pump_optional_command(p);
	case PUMP_S_PASS:
		return pump_optional_pass(p);
	case PUMP_S_FIRST:
	case PUMP_S_REPLY:
		return pump_optional_reply(p);
	case PUMP_S_PUMP:
		return pump_both(p);
	case PUMP_S_CLOSING:
		return close_step(p);
	case PUMP_S_LINGER:
		return linger_step(p);
	case PUMP_S_HANDING:
	case PUMP_S_DONE:
		break;
	}
	return 0;
}

/* The deadline has passed. */
static void
expire(struct pump *p)
{
	switch ((enum pump_state)p->state) {
	case PUMP_S_CLEAR:
		pump_trouble(p, REPLY_TIMEOUT, "timeout");
		break;
	case PUMP_S_HANDSHAKE:
		log_event(p->log, "handshake", "peer", p->peer, "reason", "not complete in time", (char *)NULL);
		pump_linger(p, "timeout");
		break;
	case PUMP_S_GREETING:
	case PUMP_S_FIRST:
		pump_no_reply(p, "the next stage gave no greeting in time");
		break;
	case PUMP_S_REPLY:
		pump_no_reply(p, "the next stage gave no reply in time");
		break;
	case PUMP_S_ANSWER:
		pump_close_after(p, "greeting");
		break;
	case PUMP_S_HANDING:
		pump_enter(p, PUMP_S_STARTING, 0);
		break;
	case PUMP_S_LINGER:
		pump_finish(p);
		break;
	case PUMP_S_CLOSING:
		pump_give_up(p, p->end ? p->end : "timeout");
		break;
	default:
		pump_give_up(p, "timeout");
	}
}

void
pump_dismiss(struct pump *p, enum reply r, const char *end, bool at_once)
{
	bool may_speak = true;

	p->early_until_ms = 0;
	p->at_once = at_once;
	switch ((enum pump_state)p->state) {
	case PUMP_S_GREETING: /* down has the start of a reply, of which nothing was sent */
	case PUMP_S_FIRST:
	case PUMP_S_REPLY:
		buf_clear(&p->down);
		break;
	case PUMP_S_PUMP:
		may_speak = lastreply_is_complete(&p->tail);
		break;
	case PUMP_S_OFFERED: /* after the 220 comes TLS and nothing else */
	case PUMP_S_HANDSHAKE:
		pump_linger(p, end);
		return;
	case PUMP_S_ANSWER:
		may_speak = false;
		break;
	case PUMP_S_CLEAR:
	case PUMP_S_STARTING:
	case PUMP_S_HANDING:
	case PUMP_S_COMMAND:
	case PUMP_S_PASS:
		break;
	case PUMP_S_CLOSING:
	case PUMP_S_LINGER:
	case PUMP_S_DONE:
		return;
	}
	pump_end_app(p); /* its worker is free for another client */
	if (may_speak)
		pump_trouble(p, r, end);
	else
		pump_close_after(p, end);
	p->deadline_ms = clock_ms() + p->conf->linger_ms;
}

/* Most connections wait most of the time. Keep no empty buffer, and none much larger than its content. */
static void
put_back(struct buf *b, struct buf *spare)
{
	struct buf fit = { 0 };

	if (b->len == 0 && spare && !spare->p) {
		*spare = *b;
		*b = (struct buf){ 0 };
	} else if (b->len == 0)
		buf_free(b);
	else if (b->cap > 2 * b->len + SLACK && buf_add(&fit, b->p, b->len) == 0) {
		wipe(b); /* realloc might leave it in freed memory */
		buf_free(b);
		*b = fit;
	}
}

/* Before a wait. */
static void
release(struct pump *p)
{
	struct pump_spare *spare = p->conf->spare;

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

/* Use the buffers of the connection that was served before. */
static void
borrow(struct pump *p)
{
	struct pump_spare *spare = p->conf->spare;

	if (!spare)
		return;
	take_out(&p->net.raw, &spare->raw);
	take_out(&p->up, &spare->up);
	take_out(&p->down, &spare->down);
}

enum pump_need
pump_step(struct pump *p)
{
	int round;

	borrow(p);
	if (p->early_until_ms && clock_ms() >= p->early_until_ms)
		pump_dismiss(p, REPLY_TIMEOUT, "unproved", false);
	for (round = 0; round < ROUNDS_MAX; round++) {
		bool moved = act(p) != 0;

		if (p->state == PUMP_S_DONE)
			return PUMP_DONE;
		if (moved)
			continue;
		if (p->deadline_ms == 0 || clock_ms() < p->deadline_ms) {
			release(p);
			return PUMP_WAIT;
		}
		expire(p);
	}
	return PUMP_AGAIN;
}

int64_t
pump_deadline_ms(const struct pump *p)
{
	if (p->early_until_ms && (p->deadline_ms == 0 || p->early_until_ms < p->deadline_ms))
		return p->early_until_ms;
	return p->deadline_ms;
}

static size_t
add_fd(struct pollfd fds[PUMP_FDS], size_t n, int fd, short events)
{
	if (n > 0 && fds[n - 1].fd == fd)
		fds[n - 1].events |= events;
	else
		fds[n++] = (struct pollfd){ .fd = fd, .events = events };
	return n;
}

/* Leave out a descriptor that p does not wait for: poll would report POLLHUP for it again and again. */
size_t
pump_poll(const struct pump *p, struct pollfd fds[PUMP_FDS])
{
	short net = 0, app = 0;
	size_t n = 0;

	switch ((enum pump_state)p->state) {
	case PUMP_S_CLEAR:
		net = p->down.len > 0 ? p->net.write_wants : p->net.read_wants;
		break;
	case PUMP_S_OFFERED:
		net = POLLOUT;
		break;
	case PUMP_S_HANDSHAKE:
	case PUMP_S_ANSWER:
		net = p->net.read_wants;
		break;
	case PUMP_S_GREETING:
	case PUMP_S_FIRST:
	case PUMP_S_REPLY:
		app = POLLIN;
		break;
	case PUMP_S_COMMAND:
		net = p->down.len > 0 ? p->net.write_wants : p->net.read_wants;
		app = p->down.len > 0 ? 0 : POLLIN;
		break;
	case PUMP_S_PASS:
		app = POLLOUT;
		break;
	case PUMP_S_PUMP:
		if (p->up.len > 0)
			app |= POLLOUT;
		else if (!p->up_eof && !p->app_deaf)
			net |= p->net.read_wants;
		if (p->down.len > 0)
			net |= p->net.write_wants;
		else
			app |= POLLIN;
		break;
	case PUMP_S_CLOSING:
		net = p->net.write_wants ? p->net.write_wants : POLLOUT;
		break;
	case PUMP_S_LINGER:
		net = POLLIN;
		break;
	case PUMP_S_STARTING:
	case PUMP_S_HANDING:
	case PUMP_S_DONE:
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
pump_event(struct pump *p, int fd, short events)
{
	fdpair_event(&p->net.side, fd, events);
	fdpair_event(&p->app, fd, events);
}

void
pump_stop(struct pump *p)
{
	if (p->state == PUMP_S_CLEAR)
		pump_trouble(p, REPLY_SHUTDOWN, "stop");
}

int
pump_facts(const struct pump *p, struct facts *f)
{
	return tlslink_facts(&p->net, f);
}

bool
pump_is_secure(const struct pump *p)
{
	return p->net.secure;
}

int
pump_open(struct pump *p, const struct pump_conf *conf, void *owner, int in, int out, const struct log *log,
    const char *peer)
{
	*p = (struct pump){ .conf = conf, .owner = owner, .log = log, .peer = peer, .app = { .in = -1, .out = -1 } };
	cleartext_open(&p->clear, conf->host, conf->lmtp);
	p->start_ms = clock_ms();
	p->early_until_ms = conf->early_ms > 0 ? p->start_ms + conf->early_ms : 0;
	tlslink_open(&p->net, in, out);
	if (conf->implicit) {
		pump_enter(p, PUMP_S_HANDSHAKE, conf->handshake_ms);
		if (tlslink_accept(&p->net, conf->tls, &conf->authority) == 0)
			return 0;
		log_error(log, "failed", "%s", tls_error(conf->tls));
	} else if (conf->optional) {
		pump_enter(p, PUMP_S_STARTING, 0);
		return 0;
	} else {
		pump_converse(p);
		if (greet_banner(&p->down, conf->host, conf->lmtp) == 0)
			return 0;
	}
	pump_close(p);
	errno = ENOMEM;
	return -1;
}

void
pump_close(struct pump *p)
{
	pump_end_app(p);
	tlslink_close(&p->net);
	veil_free(&p->veil);
	buf_wipe(&p->up);
	buf_free(&p->down);
	p->state = PUMP_S_DONE;
}
