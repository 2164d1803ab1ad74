/* ISC licence, see LICENSE. */
/* The pump's states before TLS is established. */
#include <tls.h>

#include "base/clock.h"
#include "smtp/greet.h"
#include "smtp/reply.h"
#include "tlsd/pump_impl.h"

/* Refuse every command: the required certificate is missing (RFC 3207 4.1). No next stage will greet, so we do. */
static void
demand_certificate(struct pump *p)
{
	log_event(p->log, "refused", "reason", "no client certificate", "peer", p->peer, (char *)NULL);
	p->clear.refused = true;
	pump_converse(p);
	if (p->conf->implicit && greet_banner(&p->down, p->conf->host, p->conf->lmtp) < 0)
		pump_give_up(p, "memory");
}

void
pump_converse(struct pump *p)
{
	pump_enter(p, PUMP_S_CLEAR, p->conf->command_ms);
	p->clear_until_ms = p->deadline_ms + p->conf->command_ms;
}

int
pump_clear(struct pump *p)
{
	char data[PUMP_CLEAR_CHUNK];
	ssize_t r;

	for (;;)
		switch (cleartext_take(&p->clear, &p->up, &p->down)) {
		case CLEARTEXT_LINE:
			p->deadline_ms = clock_ms() + p->conf->command_ms;
			if (p->deadline_ms > p->clear_until_ms)
				p->deadline_ms = p->clear_until_ms;
			continue;
		case CLEARTEXT_STARTTLS:
			pump_offer(p);
			return 1;
		case CLEARTEXT_END:
			pump_close_after(p, p->clear.end);
			return 1;
		case CLEARTEXT_ERROR:
			pump_give_up(p, "memory");
			return 1;
		case CLEARTEXT_MORE:
			if (p->down.len > 0) {
				if ((r = pump_send_down(p)) < 0)
					pump_give_up(p, "gone");
				return r != 0;
			}
			r = tlslink_read(&p->net, data, sizeof data);
			if (r == FDPAIR_WAIT)
				return 0;
			p->heard |= r > 0;
			if (r <= 0 || buf_add(&p->up, data, (size_t)r) < 0)
				pump_give_up(p, r <= 0 ? "gone" : "memory");
			return 1;
		}
}

/* Input that came together with STARTTLS is dropped: RFC 3207 and CVE-2011-0411. */
static void
drop_pipelined(struct pump *p)
{
	p->pipelined = p->up.len > 0;
	if (p->pipelined)
		log_error(p->log, "pipelined", "%zu octets after STARTTLS were dropped", p->up.len);
	buf_clear(&p->up);
}

void
pump_offer(struct pump *p)
{
	bool ok = !p->conf->prepare || p->conf->prepare(p->owner);

	drop_pipelined(p);
	if (ok && tlslink_accept(&p->net, p->conf->tls, &p->conf->authority) < 0) {
		log_error(p->log, "failed", "%s", tls_error(p->conf->tls));
		ok = false;
	}
	if (ok) {
		pump_end_app(p); /* the first stage, with everything it was told */
		pump_enter(p, PUMP_S_OFFERED, p->conf->command_ms);
	} else if (p->conf->optional)
		pump_enter(p, PUMP_S_COMMAND, p->conf->stall_ms);
	else
		pump_enter(p, PUMP_S_CLEAR, p->conf->command_ms);
	if (reply_add(&p->down, ok ? REPLY_START_TLS : REPLY_NO_TLS_NOW) < 0)
		pump_give_up(p, "memory");
}

/*
 * The 220 is going out. A client that did not wait for it sent something other than a ClientHello, or somebody else
 * sent it on the client's behalf. End as if those octets had come a moment later, when they would fail the handshake.
 */
int
pump_offered(struct pump *p)
{
	int r = p->down.len > 0 ? pump_send_down(p) : 1;

	if (r < 0)
		pump_give_up(p, "gone");
	else if (p->down.len == 0 && p->pipelined)
		pump_linger(p, "pipelined");
	else if (p->down.len == 0)
		pump_enter(p, PUMP_S_HANDSHAKE, p->conf->handshake_ms);
	return r != 0;
}

int
pump_shake_hands(struct pump *p)
{
	int r = tlslink_handshake(&p->net);

	if (r == 0)
		return 0;
	if (r < 0) {
		log_event(p->log, "handshake", "peer", p->peer, "reason", tlslink_reason(&p->net), (char *)NULL);
		pump_linger(p, "handshake");
		return 1;
	}
	p->in_octets = p->out_octets = 0; /* the log counts what is inside TLS */
	if (p->conf->certificate && !tlslink_has_certificate(&p->net))
		demand_certificate(p);
	else
		pump_enter(p, PUMP_S_STARTING, 0);
	return 1;
}
