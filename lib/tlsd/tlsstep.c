/* ISC licence, see LICENSE. */
#include "tlsd/tlsstep.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/lineio.h"
#include "smtp/reply.h"
#include "tlsd/starttls.h"
#include "tlsd/tlsstate.h"

enum {
	CHUNK = TLSLINK_CHUNK,
	RECORD = 16384,     /* octets in a TLS record, at most */
	CLEAR_CHUNK = 1024, /* moved at once before TLS, where a line is 512 */
};

/* Send of down what goes. 1: it moved; 0: not now; -1: the client is gone. */
static int
send_down(struct tlspump *p)
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
		tlsstate_give_up(p, "memory");
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
	if (r == FDPAIR_WAIT)
		return 0;
	if (r != 0) {
		bool cut = tlslink_is_cut(&p->net);

		if (!lastreply_is_goodbye(&p->tail)) /* after that many clients do not trouble to say theirs */
			log_error(p->log, cut ? "truncated" : "broken", "%s", cut ? "no close_notify" :
			    tlslink_reason(&p->net));
		if (!cut)
			tlsstate_give_up(p, "broken");
	}
	p->up_eof = true;
	return 1;
}

/* Under TLS without the certificate that is required (RFC 3207 4.1): no next stage, and a greeting where none was. */
static void
demand(struct tlspump *p)
{
	log_event(p->log, "refused", "reason", "no client certificate", "peer", p->peer, (char *)NULL);
	p->clear.refused = true;
	tlsstate_converse(p);
	if (p->conf->implicit && cleartext_greet(&p->clear, &p->down) < 0)
		tlsstate_give_up(p, "memory");
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
			tlsstate_enter(p, PREPARING, 0);
			return 1;
		case CLEARTEXT_END:
			tlsstate_closing(p, p->clear.end);
			return 1;
		case CLEARTEXT_ERROR:
			tlsstate_give_up(p, "memory");
			return 1;
		case CLEARTEXT_MORE:
			if (p->down.len > 0) {
				if ((r = send_down(p)) < 0)
					tlsstate_give_up(p, "gone");
				return r != 0;
			}
			r = tlslink_read(&p->net, data, sizeof data);
			if (r == FDPAIR_WAIT)
				return 0;
			if (r <= 0 || buf_add(&p->up, data, (size_t)r) < 0)
				tlsstate_give_up(p, r <= 0 ? "gone" : "memory");
			return 1;
		}
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
		tlsstate_give_up(p, "gone");
	else if (p->down.len == 0 && p->pipelined)
		tlsstate_linger(p, "pipelined");
	else if (p->down.len == 0)
		tlsstate_enter(p, HANDSHAKE, p->conf->handshake_ms);
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
		tlsstate_linger(p, "handshake");
		return 1;
	}
	p->in_octets = p->out_octets = 0;
	if (p->conf->certificate && !tlslink_has_certificate(&p->net))
		demand(p);
	else
		tlsstate_enter(p, STARTING, 0);
	return 1;
}

/* Take up to max octets more of the next stage's reply into down. As reply_whole; FDPAIR_WAIT; a short one is -1 too. */
static ssize_t
take_reply(struct tlspump *p, size_t max, int *code)
{
	ssize_t r, n;

	if (buf_room(&p->down, max) < 0) {
		tlsstate_give_up(p, "memory");
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

static int
greeting(struct tlspump *p)
{
	int code;
	ssize_t n = take_reply(p, TLSPUMP_GREETING_MAX, &code);

	if (n == FDPAIR_WAIT)
		return 0;
	if (n < 0)
		tlsstate_no_reply(p, "the next stage gave none");
	else if (n > 0 && code == 220) {
		buf_consume(&p->down, (size_t)n);
		lastreply_note(&p->tail, p->down.p, p->down.len);
		p->out_octets += p->down.len;
		tlsstate_enter(p, PUMP, 0);
	} else if (n > 0) {
		p->down.p[p->down.len = (size_t)n] = '\0';
		log_event(p->log, "greeting", "text", p->down.p, (char *)NULL);
		tlsstate_end_app(p);
		tlsstate_enter(p, ANSWER, p->conf->command_ms);
	}
	return 1;
}

static int
answer(struct tlspump *p)
{
	int moved = read_up(p);

	if (p->state == ANSWER && (p->up_eof || p->up.len >= LINE_COMMAND_MAX ||
	                              (p->up.len > 0 && memchr(p->up.p, '\n', p->up.len))))
		tlsstate_closing(p, "greeting");
	return moved;
}

/* From the client to the next stage. */
static int
pump_up(struct tlspump *p)
{
	ssize_t r;

	if (p->up_pos < p->up.len) {
		r = fdpair_write(&p->app, p->up.p + p->up_pos, p->up.len - p->up_pos);
		if (r == FDPAIR_WAIT)
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
		lastreply_note(&p->tail, p->down.p, (size_t)r);
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
			if (!lastreply_is_goodbye(&p->tail))
				log_error(p->log, "broken", "%s", tlslink_reason(&p->net));
			tlsstate_give_up(p, "gone");
		}
		return r != 0;
	}
	if (!p->app_eof) {
		if (!p->app.readable)
			return 0;
		if (buf_room(&p->down, CHUNK) < 0) {
			tlsstate_give_up(p, "memory");
			return 1;
		}
		r = fdpair_read(&p->app, p->down.p, CHUNK);
		if (r == FDPAIR_WAIT)
			return 0;
		take_down(p, r);
		return 1;
	}
	if (p->up_eof || lastreply_is_goodbye(&p->tail))
		tlsstate_closing(p, p->end);
	else {
		log_error(p->log, "next", "it ended without 221 or 421");
		if (lastreply_is_complete(&p->tail))
			tlsstate_trouble(p, REPLY_TROUBLE, "next");
		else
			tlsstate_closing(p, "next");
	}
	return 1;
}

/* The octets of up that are the client's command go to the stage in the clear. */
static int
pass(struct tlspump *p)
{
	ssize_t r = fdpair_write(&p->app, p->up.p + p->up_pos, p->line - p->up_pos);

	if (r == FDPAIR_WAIT)
		return 0;
	if (r > 0)
		p->up_pos += (size_t)r;
	if (r > 0 && p->up_pos < p->line)
		return 1;
	buf_consume(&p->up, p->line); /* also where it reads no more: it may still have said something */
	p->up_pos = 0;
	tlsstate_enter(p, REPLY, p->conf->greeting_ms);
	return 1;
}

/* Its greeting, or its reply to that command. What comes behind is nobody's reply: then no more is looked at. */
static int
reply(struct tlspump *p)
{
	bool hello = p->state == REPLY && (p->verb == VERB_EHLO || p->verb == VERB_LHLO), blind;
	int code = 0;
	ssize_t n = take_reply(p, STARTTLS_REPLY_MAX, &code);

	if (n == FDPAIR_WAIT)
		return 0;
	if (n < 0)
		tlsstate_no_reply(p, p->state == FIRST ? "the next stage gave none" : "the next stage gave no reply");
	if (n <= 0)
		return 1;
	blind = (size_t)n < p->down.len || !starttls_goes_on(code);
	if (hello && code == 250 && !blind && starttls_offer(&p->down, p->conf->tls != NULL) < 0) {
		tlsstate_give_up(p, "memory");
		return 1;
	}
	lastreply_note(&p->tail, p->down.p, p->down.len);
	p->out_octets += p->down.len;
	tlsstate_enter(p, blind ? PUMP : COMMAND, blind ? 0 : p->conf->stall_ms);
	return 1;
}

static int
starttls(struct tlspump *p, bool argument)
{
	enum reply r = argument ? REPLY_SOME_ARGUMENT : REPLY_NO_TLS_NOW;

	if (p->conf->tls && !argument) {
		tlsstate_enter(p, PREPARING, 0);
		return 1;
	}
	if (reply_add(&p->down, r) < 0)
		tlsstate_give_up(p, "memory");
	else
		tlsstate_enter(p, COMMAND, p->conf->stall_ms);
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
			tlsstate_give_up(p, "gone");
		else if (p->down.len == 0)
			p->deadline_ms = 0;
		return r != 0;
	}
	if (p->app.readable) { /* it has something to say that nobody asked for, or it ended */
		if (buf_room(&p->down, CLEAR_CHUNK) < 0) {
			tlsstate_give_up(p, "memory");
			return 1;
		}
		r = fdpair_read(&p->app, p->down.p, CLEAR_CHUNK);
		if (r != FDPAIR_WAIT) {
			take_down(p, r);
			tlsstate_enter(p, PUMP, 0);
			return 1;
		}
	}
	switch (starttls_look(&p->up, &n, &p->verb, &argument)) {
	case STARTTLS_PASS:
		p->line = n;
		tlsstate_enter(p, PASS, p->conf->stall_ms);
		return 1;
	case STARTTLS_SAID:
		buf_consume(&p->up, n);
		return starttls(p, argument);
	case STARTTLS_BLIND:
		tlsstate_enter(p, PUMP, 0);
		return 1;
	case STARTTLS_MORE:
		break;
	}
	if (buf_room(&p->up, CLEAR_CHUNK) < 0) {
		tlsstate_give_up(p, "memory");
		return 1;
	}
	r = tlslink_read(&p->net, p->up.p + p->up.len, CLEAR_CHUNK);
	if (r == FDPAIR_WAIT)
		return 0;
	if (r > 0) {
		p->up.len += (size_t)r;
		p->in_octets += (size_t)r;
	} else if (r == 0) {
		p->up_eof = true;
		tlsstate_enter(p, PUMP, 0);
	} else
		tlsstate_give_up(p, "gone");
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
			tlsstate_give_up(p, p->end ? p->end : "gone");
		return r != 0;
	}
	if (p->net.secure && tlslink_finish(&p->net) == FDPAIR_WAIT)
		return 0;
	tlsstate_linger(p, NULL);
	return 1;
}

static int
linger_step(struct tlspump *p)
{
	char data[CLEAR_CHUNK];
	ssize_t r = fdpair_read(&p->net.side, data, sizeof data);

	if (r == FDPAIR_WAIT)
		return 0;
	if (r <= 0)
		tlsstate_done(p);
	return 1;
}

int
tlsstep(struct tlspump *p)
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
