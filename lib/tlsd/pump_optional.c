/* ISC licence, see LICENSE. */
/* The pump's states in front of the first stage, where TLS is optional. */
#include <string.h>

#include "smtp/reply.h"
#include "tlsd/pump_impl.h"
#include "tlsd/starttls.h"

/* Write the command at the front of up to the first stage. */
int
pump_optional_pass(struct pump *p)
{
	ssize_t r = fdpair_write(&p->app, p->up.p + p->up_pos, p->line - p->up_pos);

	if (r == FDPAIR_WAIT)
		return 0;
	if (r > 0)
		p->up_pos += (size_t)r;
	if (r > 0 && p->up_pos < p->line)
		return 1;
	buf_consume(&p->up, p->line); /* even if the stage reads no more: it may still have written something */
	p->up_pos = 0;
	pump_enter(p, PUMP_S_REPLY, p->conf->greeting_ms);
	return 1;
}

/*
 * Read the first stage's greeting, or its reply to the command that was passed. If more follows, commands and replies
 * are no longer in step: look at no further command.
 */
int
pump_optional_reply(struct pump *p)
{
	bool hello = p->state == PUMP_S_REPLY && (p->verb == VERB_EHLO || p->verb == VERB_LHLO), blind;
	int code = 0;
	ssize_t n = pump_take_reply(p, STARTTLS_REPLY_MAX, &code);

	if (n == FDPAIR_WAIT)
		return 0;
	if (n < 0)
		pump_no_reply(p, p->state == PUMP_S_FIRST ? "the next stage gave no greeting" : "the next stage gave no reply");
	if (n <= 0)
		return 1;
	blind = (size_t)n < p->down.len || !starttls_goes_on(code);
	if (hello && code == 250 && !blind && starttls_offer(&p->down, p->conf->tls != NULL) < 0) {
		pump_give_up(p, "memory");
		return 1;
	}
	lastreply_note(&p->tail, p->down.p, p->down.len);
	p->out_octets += p->down.len;
	pump_enter(p, blind ? PUMP_S_PUMP : PUMP_S_COMMAND, blind ? 0 : p->conf->stall_ms);
	return 1;
}

static int
take_starttls(struct pump *p, bool argument)
{
	if (p->conf->tls && !argument) {
		pump_offer(p);
		return 1;
	}
	if (reply_add(&p->down, argument ? REPLY_SOME_ARGUMENT : REPLY_NO_TLS_NOW) < 0)
		pump_give_up(p, "memory");
	else
		pump_enter(p, PUMP_S_COMMAND, p->conf->stall_ms);
	return 1;
}

/* The first stage wrote something that nobody asked for, or ended: look at no further command. */
static bool
has_spoken(struct pump *p)
{
	ssize_t r;

	if (!p->app.readable)
		return false;
	if (buf_room(&p->down, PUMP_CLEAR_CHUNK) < 0) {
		pump_give_up(p, "memory");
		return true;
	}
	r = fdpair_read(&p->app, p->down.p, PUMP_CLEAR_CHUNK);
	if (r == FDPAIR_WAIT)
		return false;
	pump_take_down(p, r);
	pump_enter(p, PUMP_S_PUMP, 0);
	return true;
}

static int
read_command(struct pump *p)
{
	ssize_t r;

	if (buf_room(&p->up, PUMP_CLEAR_CHUNK) < 0) {
		pump_give_up(p, "memory");
		return 1;
	}
	r = tlslink_read(&p->net, p->up.p + p->up.len, PUMP_CLEAR_CHUNK);
	if (r == FDPAIR_WAIT)
		return 0;
	if (r > 0) {
		p->up.len += (size_t)r;
		p->in_octets += (size_t)r;
	} else if (r == 0) {
		p->up_eof = true;
		pump_enter(p, PUMP_S_PUMP, 0);
	} else
		pump_give_up(p, "gone");
	return 1;
}

/* The wait for a command has no deadline here: the first stage has one. */
int
pump_optional_command(struct pump *p)
{
	bool argument;
	size_t n;
	int r;

	if (p->down.len > 0) {
		if ((r = pump_send_down(p)) < 0)
			pump_give_up(p, "gone");
		else if (p->down.len == 0)
			p->deadline_ms = 0;
		return r != 0;
	}
	if (has_spoken(p))
		return 1;
	switch (starttls_look(&p->up, &n, &p->verb, &argument)) {
	case STARTTLS_PASS:
		p->line = n;
		pump_enter(p, PUMP_S_PASS, p->conf->stall_ms);
		return 1;
	case STARTTLS_SAID:
		buf_consume(&p->up, n);
		return take_starttls(p, argument);
	case STARTTLS_BLIND:
		pump_enter(p, PUMP_S_PUMP, 0);
		return 1;
	case STARTTLS_MORE:
		break;
	}
	return read_command(p);
}
