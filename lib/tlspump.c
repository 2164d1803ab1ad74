/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "tlspump.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <tls.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "reply.h"

enum state { CLEAR, PREPARING, OFFERED, HANDSHAKE, STARTING, GREETING, ANSWER, PUMP, CLOSING, LINGER, DONE };

enum {
	CHUNK = 65535,      /* octets moved at once: about four TLS records; with buf's NUL a power of two */
	RECORD = 16384,     /* octets in a TLS record, at most */
	CLEAR_CHUNK = 1024, /* the same before TLS, where a line is 512 */
	PIPE_PART = 512,    /* POSIX: a pipe that poll calls writable takes at least this much without blocking */
	ROUNDS_MAX = 32,    /* rounds of one step; others want to be served too */
};

enum { SIDE_WAIT = -2 }; /* of side_read and side_write: not now */

static bool
is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void
side_open(struct tlspump_side *s, int in, int out)
{
	*s = (struct tlspump_side){ .in = in, .out = out };
	s->in_socket = is_socket(in);
	s->out_socket = in == out ? s->in_socket : is_socket(out);
	s->writable = s->out_socket;
}

/* A short read is the last one until poll says more: the call that would only say EAGAIN is saved. */
static ssize_t
side_read(struct tlspump_side *s, void *p, size_t n)
{
	ssize_t r;

	if (!s->readable)
		return SIDE_WAIT;
	do
		r = s->in_socket ? recv(s->in, p, n, MSG_DONTWAIT) : read(s->in, p, n);
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		s->readable = false;
		return SIDE_WAIT;
	}
	if (r > 0 && !s->hup && (!s->in_socket || (size_t)r < n))
		s->readable = false;
	return r < 0 ? -1 : r;
}

static ssize_t
side_write(struct tlspump_side *s, const void *p, size_t n)
{
	ssize_t r;

	if (!s->writable)
		return SIDE_WAIT;
	do
		r = s->out_socket ? send(s->out, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) :
		                    write(s->out, p, n < PIPE_PART ? n : PIPE_PART);
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		s->writable = false;
		return SIDE_WAIT;
	}
	if (r >= 0 && (!s->out_socket || (size_t)r < n))
		s->writable = false;
	return r < 0 ? -1 : r;
}

/*
 * libtls reads a record in two calls; one of ours fetches all that is there. It is never told of the end: it would
 * take an end without close_notify for a fatal error (or for a clean one, depending on whose libtls it is), and what
 * the next stage still says could not be sent. Whoever calls libtls looks at net_eof where it wants more.
 */
static ssize_t
read_cb(struct tls *ctx, void *data, size_t n, void *arg)
{
	struct tlspump *p = arg;
	ssize_t r;

	(void)ctx;
	if (p->raw_pos == p->raw.len) {
		buf_clear(&p->raw);
		p->raw_pos = 0;
		if (p->net_eof || !p->net.readable)
			return TLS_WANT_POLLIN;
		if (buf_room(&p->raw, CHUNK) < 0)
			return -1;
		r = side_read(&p->net, p->raw.p, CHUNK);
		if (r == SIDE_WAIT)
			return TLS_WANT_POLLIN;
		if (r <= 0) {
			p->net_errno = r < 0 ? errno : 0;
			p->net_eof = true;
			return TLS_WANT_POLLIN;
		}
		p->raw.len = (size_t)r;
	}
	if (n > p->raw.len - p->raw_pos)
		n = p->raw.len - p->raw_pos;
	memcpy(data, p->raw.p + p->raw_pos, n);
	p->raw_pos += n;
	return (ssize_t)n;
}

static ssize_t
write_cb(struct tls *ctx, const void *data, size_t n, void *arg)
{
	struct tlspump *p = arg;
	ssize_t r = side_write(&p->net, data, n);

	(void)ctx;
	if (r == -1)
		p->net_errno = errno;
	return r == SIDE_WAIT ? TLS_WANT_POLLOUT : r;
}

/* Why the connection is no good any more. */
static const char *
reason(const struct tlspump *p)
{
	return p->net_errno ? strerror(p->net_errno) : p->net_eof ? "connection ended" : tls_error(p->tls);
}

/* What a tls_* call wants to wait for; 0: nothing, it has come to a result. */
static short
wants(ssize_t r)
{
	return r == TLS_WANT_POLLIN ? POLLIN : r == TLS_WANT_POLLOUT ? POLLOUT : 0;
}

static bool
can(const struct tlspump *p, short want)
{
	return want == 0 || (want == POLLIN ? p->net.readable : p->net.writable);
}

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

	snprintf(in, sizeof in, "%llu", (unsigned long long)p->in_octets);
	snprintf(out, sizeof out, "%llu", (unsigned long long)p->out_octets);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - p->start_ms));
	log_event(p->log, "done", "tls", p->secure ? tls_conn_version(p->tls) : NULL, "cipher",
	    p->secure ? tls_conn_cipher(p->tls) : NULL, "in", in, "out", out, "ms", ms, "peer", p->peer, "end",
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
	if (p->net_eof || p->up_eof || !p->net.out_socket || shutdown(p->net.out, SHUT_WR) < 0)
		done(p);
	else
		enter(p, LINGER, p->conf->linger_ms);
}

static void
closing(struct tlspump *p, const char *end)
{
	p->end = end;
	p->write_wants = 0;
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

/* Our end of the last reply: it is over if the next stage said so. */
static bool
said_goodbye(const struct tlspump *p)
{
	return memcmp(p->last, "221", 3) == 0 || memcmp(p->last, "421", 3) == 0;
}

/* A reply may stand behind the output so far. */
static bool
between_replies(const struct tlspump *p)
{
	return p->head_len == 0 && p->last[3] != '-';
}

static void
head_add(struct tlspump *p, const char *s, size_t n)
{
	if (n > sizeof p->head - p->head_len)
		n = sizeof p->head - p->head_len;
	memcpy(p->head + p->head_len, s, n);
	p->head_len += (unsigned char)n;
}

/* Remember how the output's last line began. */
static void
note(struct tlspump *p, const char *s, size_t n)
{
	size_t lf = n, start;

	while (lf > 0 && s[lf - 1] != '\n')
		lf--;
	if (lf > 0) {
		for (start = lf - 1; start > 0 && s[start - 1] != '\n'; start--)
			;
		if (start > 0)
			p->head_len = 0;
		head_add(p, s + start, lf - 1 - start);
		memset(p->last, 0, sizeof p->last);
		memcpy(p->last, p->head, p->head_len);
		p->head_len = 0;
	}
	head_add(p, s + lf, n - lf);
}

/* Send of down what goes. 1: it moved; 0: not now; -1: the client is gone. */
static int
send_down(struct tlspump *p)
{
	const char *data = p->down.p + p->down_pos;
	size_t n = p->down.len - p->down_pos;
	ssize_t r;

	if (p->secure) {
		if (!can(p, p->write_wants))
			return 0;
		r = tls_write(p->tls, data, n);
		p->write_wants = wants(r);
		if (p->write_wants)
			return 0;
	} else {
		r = side_write(&p->net, data, n);
		if (r == SIDE_WAIT)
			return 0;
	}
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
 * Decrypt into up all that is there, so that it leaves in one write. 1: something came, or the end (up_eof); 0: not
 * now. What breaks the connection ends it.
 */
static int
read_up(struct tlspump *p)
{
	size_t was = p->up.len; /* less than a line */
	ssize_t r;

	if (!can(p, p->read_wants))
		return 0;
	if (buf_room(&p->up, CHUNK - was) < 0) {
		give_up(p, "memory");
		return 1;
	}
	while ((r = tls_read(p->tls, p->up.p + p->up.len, CHUNK - p->up.len)) > 0) {
		p->up.len += (size_t)r;
		p->in_octets += (size_t)r;
		if (p->up.len > CHUNK - RECORD) {
			p->read_wants = 0;
			return 1;
		}
	}
	p->read_wants = wants(r);
	if (p->up.len > was) /* if this is the end it will say so again */
		return 1;
	if (p->read_wants && !p->net_eof)
		return 0;
	if (r != 0) {
		bool cut = p->net_eof && !p->net_errno;

		if (!said_goodbye(p)) /* after that many clients do not trouble to say theirs */
			log_error(p->log, cut ? "truncated" : "broken", "%s", cut ? "no close_notify" : reason(p));
		if (!cut)
			give_up(p, "broken");
	}
	p->up_eof = true;
	return 1;
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
			r = side_read(&p->net, data, sizeof data);
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
	if (ok && tls_accept_cbs(p->conf->tls, &p->tls, read_cb, write_cb, p) < 0) {
		log_error(p->log, "failed", "%s", tls_error(p->conf->tls));
		ok = false;
	}
	enter(p, ok ? OFFERED : CLEAR, p->conf->command_ms);
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
	int r = tls_handshake(p->tls);

	p->read_wants = wants(r);
	if (p->read_wants && !p->net_eof)
		return 0;
	if (r < 0) {
		log_event(p->log, "handshake", "peer", p->peer, "reason", reason(p), (char *)NULL);
		linger(p, "handshake");
		return 1;
	}
	p->secure = true;
	enter(p, STARTING, 0);
	return 1;
}

int
tlspump_facts(const struct tlspump *p, struct facts *f)
{
	const char *name = tls_conn_servername(p->tls);
	char size[12];

	snprintf(size, sizeof size, "%d", tls_conn_cipher_strength(p->tls));
	if (facts_set(f, "SSL_PROTOCOL", tls_conn_version(p->tls)) < 0 ||
	    facts_set(f, "SSL_CIPHER", tls_conn_cipher(p->tls)) < 0 || facts_set(f, "SSL_CIPHER_USEKEYSIZE", size) < 0)
		return -1;
	return name && *name ? facts_set_text(f, "SSL_TLS_SNI_SERVERNAME", name, strlen(name)) : 0;
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
	if (p->conf->implicit)
		enter(p, PUMP, 0);
	else
		enter(p, GREETING, p->conf->greeting_ms);
}

void
tlspump_refused(struct tlspump *p, enum reply r)
{
	if (p->state != STARTING && p->state != GREETING && p->state != PUMP)
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

/* The octets of down that are a complete reply; 0: not yet; -1: they will never be one. */
static ssize_t
greeting_len(const struct tlspump *p, int *code)
{
	size_t at = 0;
	const char *lf, *text;
	size_t len, textlen;
	bool last = false;
	int first = 0;

	while (!last && at < p->down.len && (lf = memchr(p->down.p + at, '\n', p->down.len - at))) {
		len = (size_t)(lf - p->down.p) - at;
		if (len > 0 && lf[-1] == '\r')
			len--;
		if (!reply_line(p->down.p + at, len, code, &last, &text, &textlen) || (first && *code != first))
			return -1;
		first = *code;
		at = (size_t)(lf - p->down.p) + 1;
	}
	if (last)
		return (ssize_t)at;
	return p->down.len < TLSPUMP_GREETING_MAX ? 0 : -1;
}

static int
greeting(struct tlspump *p)
{
	ssize_t r, n;
	int code;

	if (buf_room(&p->down, TLSPUMP_GREETING_MAX) < 0) {
		give_up(p, "memory");
		return 1;
	}
	r = side_read(&p->app, p->down.p + p->down.len, TLSPUMP_GREETING_MAX);
	if (r == SIDE_WAIT)
		return 0;
	if (r > 0) {
		p->down.len += (size_t)r;
		p->down.p[p->down.len] = '\0';
	}
	n = r > 0 ? greeting_len(p, &code) : -1;
	if (n < 0) {
		log_event(p->log, "greeting", "reason", "the next stage gave none", "text",
		    p->down.len ? p->down.p : NULL, (char *)NULL);
		buf_clear(&p->down);
		trouble(p, REPLY_TROUBLE, "next");
	} else if (n > 0 && code == 220) {
		buf_consume(&p->down, (size_t)n);
		note(p, p->down.p, p->down.len);
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

/* From the next stage to the client, and the end of that. */
static int
pump_down(struct tlspump *p)
{
	ssize_t r;

	if (p->down.len > 0) {
		r = send_down(p);
		if (r < 0) {
			if (!said_goodbye(p))
				log_error(p->log, "broken", "%s", reason(p));
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
		if (r > 0) {
			p->down.len = (size_t)r;
			p->out_octets += (size_t)r;
			note(p, p->down.p, (size_t)r);
		} else
			p->app_eof = true;
		return 1;
	}
	if (p->up_eof || said_goodbye(p))
		closing(p, p->end);
	else {
		log_error(p->log, "next", "it ended without 221 or 421");
		if (between_replies(p))
			trouble(p, REPLY_TROUBLE, "next");
		else
			closing(p, "next");
	}
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
	if (p->secure) {
		if (!can(p, p->write_wants))
			return 0;
		p->write_wants = wants(tls_close(p->tls));
		if (p->write_wants)
			return 0;
	}
	linger(p, NULL);
	return 1;
}

static int
linger_step(struct tlspump *p)
{
	char data[CLEAR_CHUNK];
	ssize_t r = side_read(&p->net, data, sizeof data);

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
		log_event(p->log, "greeting", "reason", "the next stage gave none in time", "text",
		    p->down.len ? p->down.p : NULL, (char *)NULL);
		buf_clear(&p->down);
		trouble(p, REPLY_TROUBLE, "next");
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

	if (p->raw_pos == p->raw.len) {
		buf_clear(&p->raw);
		p->raw_pos = 0;
	}
	put_back(&p->raw, spare ? &spare->raw : NULL);
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
	take_out(&p->raw, &spare->raw);
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
		net = p->down.len > 0 ? POLLOUT : POLLIN;
		break;
	case OFFERED:
		net = POLLOUT;
		break;
	case HANDSHAKE:
	case ANSWER:
		net = p->read_wants;
		break;
	case GREETING:
		app = POLLIN;
		break;
	case PUMP:
		if (p->up.len > 0)
			app |= POLLOUT;
		else if (!p->up_eof && !p->app_deaf)
			net |= p->read_wants;
		if (p->down.len > 0)
			net |= p->write_wants;
		else
			app |= POLLIN;
		break;
	case CLOSING:
		net = p->write_wants ? p->write_wants : POLLOUT;
		break;
	case LINGER:
		net = POLLIN;
		break;
	}
	if (net & POLLIN)
		n = add_fd(fds, n, p->net.in, POLLIN);
	if (net & POLLOUT)
		n = add_fd(fds, n, p->net.out, POLLOUT);
	if (app)
		n = add_fd(fds, n, p->app.in, app);
	return n;
}

void
tlspump_event(struct tlspump *p, int fd, short events)
{
	struct tlspump_side *side[2] = { &p->net, &p->app };
	short bad = POLLHUP | POLLERR | POLLNVAL;
	int i;

#ifdef POLLRDHUP
	bad |= POLLRDHUP;
#endif
	for (i = 0; i < 2; i++) {
		if (fd == side[i]->in && events & (POLLIN | bad)) {
			side[i]->readable = true;
			side[i]->hup |= (events & bad) != 0;
		}
		if (fd == side[i]->out && events & (POLLOUT | bad))
			side[i]->writable = true;
	}
}

int
tlspump_open(struct tlspump *p, const struct tlspump_conf *conf, int in, int out, const struct log *log,
    const char *peer)
{
	const int on = 1;

	*p = (struct tlspump){ .conf = conf, .log = log, .peer = peer, .app = { .in = -1, .out = -1 } };
	p->clear = (struct cleartext){ .host = conf->host, .lmtp = conf->lmtp };
	p->start_ms = clock_ms();
	side_open(&p->net, in, out);
	if (p->net.out_socket) { /* no harm where it is not TCP */
		setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(out, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	if (conf->implicit) {
		enter(p, HANDSHAKE, conf->handshake_ms);
		if (tls_accept_cbs(conf->tls, &p->tls, read_cb, write_cb, p) == 0)
			return 0;
		log_error(log, "failed", "%s", tls_error(conf->tls));
	} else {
		enter(p, CLEAR, conf->command_ms);
		p->clear_until_ms = p->deadline_ms + conf->command_ms;
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
	tls_free(p->tls);
	p->tls = NULL;
	p->secure = false;
	buf_free(&p->raw);
	buf_free(&p->up);
	buf_free(&p->down);
	p->state = DONE;
}
