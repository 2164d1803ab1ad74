/* ISC licence, see LICENSE. */
#include "tlsd/tlsstate.h"

#include <stdio.h>
#include <sys/socket.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"

void
tlsstate_enter(struct tlspump *p, enum state state, int wait_ms)
{
	p->state = state;
	p->deadline_ms = wait_ms > 0 ? clock_ms() + wait_ms : 0;
}

void
tlsstate_end_app(struct tlspump *p)
{
	if (p->app.in >= 0) {
		if (p->conf->forget)
			p->conf->forget(p, p->conf->forget_arg);
		close(p->app.in);
	}
	p->app.in = p->app.out = -1;
}

void
tlsstate_done(struct tlspump *p)
{
	char in[24], out[24], ms[24];
	bool secure = p->net.secure;

	snprintf(in, sizeof in, "%llu", (unsigned long long)p->in_octets);
	snprintf(out, sizeof out, "%llu", (unsigned long long)p->out_octets);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - p->start_ms));
	log_event(p->log, "done", "tls", secure ? tls_conn_version(p->net.tls) : NULL, "cipher",
	    secure ? tls_conn_cipher(p->net.tls) : NULL, "in", in, "out", out, "ms", ms, "peer", p->peer, "end",
	    p->end, (char *)NULL);
	tlsstate_end_app(p);
	tlsstate_enter(p, DONE, 0);
}

/* Everything is said, or nothing more can be. */
void
tlsstate_linger(struct tlspump *p, const char *end)
{
	if (!p->end)
		p->end = end;
	tlsstate_end_app(p);
	if (p->net.eof || p->up_eof || !p->net.side.out_socket || shutdown(p->net.side.out, SHUT_WR) < 0)
		tlsstate_done(p);
	else
		tlsstate_enter(p, LINGER, p->conf->linger_ms);
}

void
tlsstate_closing(struct tlspump *p, const char *end)
{
	p->end = end;
	p->net.write_wants = 0;
	tlsstate_enter(p, CLOSING, p->conf->stall_ms);
}

/* No further octet can be had or sent. */
void
tlsstate_give_up(struct tlspump *p, const char *end)
{
	p->end = end;
	tlsstate_done(p);
}

/* 421 where a reply may stand, then the end. */
void
tlsstate_trouble(struct tlspump *p, enum reply r, const char *end)
{
	if (reply_add(&p->down, r) < 0)
		tlsstate_give_up(p, "memory");
	else
		tlsstate_closing(p, end);
}

/* The next stage did not answer as it must. */
void
tlsstate_no_reply(struct tlspump *p, const char *reason)
{
	log_event(p->log, p->state == REPLY ? "reply" : "greeting", "reason", reason, "text",
	    p->down.len ? p->down.p : NULL, (char *)NULL);
	buf_clear(&p->down);
	tlsstate_trouble(p, REPLY_TROUBLE, "next");
}

/* A dialogue of our own begins: the one before TLS, or the one that leads nowhere for want of a certificate. */
void
tlsstate_converse(struct tlspump *p)
{
	tlsstate_enter(p, CLEAR, p->conf->command_ms);
	p->clear_until_ms = p->deadline_ms + p->conf->command_ms;
}
