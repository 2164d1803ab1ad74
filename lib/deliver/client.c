/* ISC licence, see LICENSE. */
#include "deliver/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/clientauth.h"
#include "deliver/starter.h"

enum {
	STATUS_MAX = 512,        /* octets of tlsc's line about its handshake */
	HANDSHAKE_MAX_S = 86400, /* the most that tlsc's -t takes */
	QUIT_MS = 500,           /* the time that tlsc has to send QUIT */
};

static void
take_keywords(struct ehlo *e, const char *text)
{
	const char *lf = text ? strchr(text, '\n') : NULL; /* the first line is the server's name */

	*e = (struct ehlo){ 0 };
	while (lf) {
		text = lf + 1;
		lf = strchr(text, '\n');
		ehlo_take(e, text, lf ? (size_t)(lf - text) : strlen(text));
	}
}

/* The server has refused a step before any message: log that and close. *r stays the server's reply. */
static void
refused(struct client *s, const char *at, const struct reply_foreign *r)
{
	char code[24];

	snprintf(code, sizeof code, "%d", r->code);
	log_event(s->wire.log, "failed", "to", s->wire.to, "at", at, "reason", "refused", "code", code, "text", r->text,
	    (char *)NULL);
	client_quit(s);
}

/*
 * Start TLS now: tlsc takes the connection, and from then on w leads to tlsc. Input that arrived in the clear is
 * dropped.
 * Returns 0, or -1: the session is closed, and *r is 451 4.7.5. Nothing of ours was sent to the server.
 */
static int
start_tls(struct client *s, const struct nexthop *n, int64_t deadline_ms, struct reply_foreign *r)
{
	struct wire *w = &s->wire;
	char why[STATUS_MAX], *line = NULL;
	size_t len = 0;
	int left_s = clock_left(deadline_ms) / 1000 + 1;
	enum line_result l;

	if (starter_tls(s->conf, n, left_s < HANDSHAKE_MAX_S ? left_s : HANDSHAKE_MAX_S, w->fd, &w->tls) < 0) {
		wire_fail(w, "TLS", REPLY_NO_SECURITY, strerror(errno), NULL, r);
		return -1;
	}
	lineio_close(&w->conn);
	close(w->fd);
	wire_open(w, w->tls.fd, deadline_ms);
	w->conn.slice_ms = 0;
	w->conn.exact = true; /* read tlsc's status line alone: the server's octets follow it */
	l = lineio_line(&w->conn, STATUS_MAX, INT_MAX, &line, &len);
	if (l == LINE_OK && *line == '+') {
		wire_open(w, w->tls.fd, deadline_ms);
		s->is_private = true;
		return 0;
	}
	snprintf(why, sizeof why, "%s", l == LINE_OK ? line + (*line == '-') :
	    l == LINE_TIMEOUT ? "no handshake until the deadline" : "tlsc did not start, or ended");
	wire_fail(w, "TLS", REPLY_NO_SECURITY, why, NULL, r);
	return -1;
}

/*
 * Send what is in conn.out, if anything, and read a reply that must be 2yz.
 * Returns 0, or -1: *r is the reply for all.
 */
static int
hear_welcome(struct client *s, const char *at, struct reply_foreign *r)
{
	if (wire_hear(&s->wire, at, r) < 0)
		return -1;
	if (r->code < 300)
		return 0;
	refused(s, at, r);
	return -1;
}

static int
say(struct client *s, const char *verb, const char *argument, struct reply_foreign *r)
{
	if (buf_printf(&s->wire.conn.out, "%s%s%s\r\n", verb, *argument ? " " : "", argument) == 0)
		return 0;
	wire_fail_memory(&s->wire, verb, r);
	return -1;
}

/* EHLO or LHLO. What the server offered before TLS no longer counts (RFC 3207 4.2). */
static int
say_hello(struct client *s, struct reply_foreign *r)
{
	const char *verb = s->conf->lmtp ? "LHLO" : "EHLO";

	s->offer = (struct ehlo){ 0 };
	if (say(s, verb, s->host, r) < 0 || wire_hear(&s->wire, verb, r) < 0)
		return -1;
	if (!s->conf->lmtp && (r->code == 500 || r->code == 502)) { /* RFC 5321 3.2: a server without extensions */
		if (say(s, "HELO", s->host, r) < 0 || hear_welcome(s, "HELO", r) < 0)
			return -1;
	} else if (r->code >= 300) {
		refused(s, verb, r);
		return -1;
	} else
		take_keywords(&s->offer, r->text);
	if (!s->is_private)
		s->offer.caps &= ~(uint32_t)CAP_REQUIRETLS; /* RFC 8689 4.2.1 */
	reply_foreign_free(r);
	return 0;
}

/* STARTTLS, TLS, and EHLO again. Every failure is 451 4.7.5: nothing is sent in the clear instead. */
static int
say_starttls(struct client *s, const struct nexthop *n, int64_t deadline_ms, struct reply_foreign *r)
{
	struct wire *w = &s->wire;
	char code[24];

	if (!(s->offer.caps & CAP_STARTTLS)) {
		wire_fail(w, "STARTTLS", REPLY_NO_SECURITY, "not offered", NULL, r);
		return -1;
	}
	if (wire_is_out_of_step(w, "STARTTLS", r))
		return -1;
	if (say(s, "STARTTLS", "", r) < 0 || wire_hear_any(w, "STARTTLS", r) < 0)
		return -1;
	if (r->code != 220) {
		snprintf(code, sizeof code, "refused with %d", r->code);
		wire_fail(w, "STARTTLS", REPLY_NO_SECURITY, code, NULL, r);
		return -1;
	}
	if (wire_has_input(w)) { /* an attacker's, to be taken for the server's first octets under TLS */
		wire_fail(w, "STARTTLS", REPLY_NO_SECURITY, "octets in the clear after 220", NULL, r);
		return -1;
	}
	return start_tls(s, n, deadline_ms, r) < 0 || say_hello(s, r) < 0 ? -1 : 0;
}

int
client_open(struct client *s, const struct client_conf *conf, const struct nexthop *n, const char *host,
    int64_t deadline_ms, const struct log *log, struct reply_foreign *refusal)
{
	struct wire *w = &s->wire;
	char why[STARTER_WHY];
	int fd;

	s->conf = conf;
	s->is_private = n->is_unix;
	s->text = w->line = (struct buf){ 0 };
	w->state = WIRE_CLOSED;
	w->replaceable = false;
	w->tls = (struct helper){ 0 };
	w->log = log;
	w->to = n->text;
	snprintf(s->host, sizeof s->host, "%s", host);
	fd = starter_connect(conf, n, deadline_ms, why);
	if (fd < 0) {
		wire_fail(w, "connect", REPLY_NEXT_HOP, why, NULL, refusal);
		return -1;
	}
	wire_open(w, fd, deadline_ms);
	if (conf->tls == CLIENT_IMPLICIT && start_tls(s, n, deadline_ms, refusal) < 0)
		return -1;
	if (hear_welcome(s, "greeting", refusal) < 0 || wire_is_out_of_step(w, "greeting", refusal) ||
	    say_hello(s, refusal) < 0)
		return -1;
	if (conf->tls == CLIENT_STARTTLS && say_starttls(s, n, deadline_ms, refusal) < 0)
		return -1;
	if (!conf->auth)
		return 0;
	return clientauth_run(w, conf, *n->host ? n->host : "localhost", &s->offer, refusal);
}

bool
client_is_open(const struct client *s)
{
	return wire_is_open(&s->wire);
}

void
client_quit(struct client *s)
{
	if (!client_is_open(s)) /* do not even write to s: idle workers share its pages */
		return;
	if (buf_puts(&s->wire.conn.out, "QUIT\r\n") == 0)
		lineio_flush(&s->wire.conn, 0);
	wire_close(&s->wire, QUIT_MS);
	buf_free(&s->text);
}
