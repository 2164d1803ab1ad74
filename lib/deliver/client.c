/* ISC licence, see LICENSE. */
#include "deliver/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	GARBAGE_LOGGED = 200, /* octets of what was no reply */
	STATUS_MAX = 512,     /* octets of what tlsc says of its handshake */
	HANDSHAKE_MAX_S = 86400, /* of tlsc's -t */
	QUIT_MS = 500,        /* tlsc may take to say the last words */
};

static void
end(struct client *s, int grace_ms)
{
	if (s->open) {
		lineio_close(&s->conn);
		if (s->tls.pid)
			helper_stop(&s->tls, grace_ms);
		else
			close(s->fd);
	}
	buf_free(&s->line);
	buf_free(&s->text);
	s->open = false;
}

void
client_hang_up(struct client *s)
{
	end(s, 0);
}

void
client_fail(struct client *s, const char *at, enum reply reply, const char *reason, const char *text,
    struct reply_foreign *r)
{
	client_hang_up(s);
	reply_foreign_free(r);
	s->stale = s->spare && reply == REPLY_NEXT_HOP_LOST; /* it closed while it was idle, as it may */
	if (!s->stale) {
		log_event(s->log, "failed", "to", s->to, "at", at, "reason", reason, "text", text, (char *)NULL);
		reply_set(r, reply, NULL);
	}
}

void
client_fail_memory(struct client *s, const char *at, struct reply_foreign *r)
{
	client_fail(s, at, REPLY_NO_MEMORY, "out of memory", NULL, r);
}

void
client_fail_garbage(struct client *s, const char *at, const char *reason, struct reply_foreign *r)
{
	char text[GARBAGE_LOGGED + 1];
	size_t n = s->line.len < GARBAGE_LOGGED ? s->line.len : GARBAGE_LOGGED, i;

	for (i = 0; i < n; i++)
		text[i] = s->line.p[i] ? s->line.p[i] : '?';
	text[n] = '\0';
	if (strcmp(at, "AUTH") == 0) /* it may be what was said there */
		n = 0;
	client_fail(s, at, REPLY_LOCAL_ERROR, reason, n > 0 ? text : NULL, r);
}

void
client_fail_line(struct client *s, const char *at, enum line_result l, struct reply_foreign *r)
{
	if (l == LINE_TIMEOUT)
		client_fail(s, at, REPLY_LATE, "no answer until the deadline", NULL, r);
	else if (l == LINE_EOF)
		client_fail(s, at, REPLY_NEXT_HOP_LOST, "connection closed", NULL, r);
	else if (l == LINE_ERROR)
		client_fail(s, at, REPLY_NEXT_HOP_LOST, strerror(errno), NULL, r);
	else
		client_fail_garbage(s, at, l == LINE_LONG ? "line too long" : "bare CR, bare LF or NUL in a reply", r);
}

/*
 * One line of a reply into s->line, without CRLF. Not lineio_line, which reads on to the end of a line that is too long:
 * here such a line ends the session at once. ENOMEM is LINE_ERROR.
 */
static enum line_result
hear_line(struct client *s)
{
	struct lineio *c = &s->conn;
	char *lf = NULL;

	buf_clear(&s->line);
	while (!lf) {
		enum line_result r = lineio_fill(c, INT_MAX);
		size_t n;

		/* What we had to say could not be said: the server has closed, and may have said why before that. */
		if (r == LINE_ERROR && (errno == EPIPE || errno == ECONNRESET))
			r = lineio_fill(c, INT_MAX);
		if (r != LINE_OK)
			return r;
		lf = memchr(c->in_buf + c->pos, '\n', c->len - c->pos);
		n = lf ? (size_t)(lf - c->in_buf) + 1 - c->pos : c->len - c->pos;
		if (s->line.len + n > CLIENT_LINE_MAX)
			return LINE_LONG;
		if (buf_add(&s->line, c->in_buf + c->pos, n) < 0)
			return LINE_ERROR;
		c->pos += n;
	}
	if (s->line.len < 2 || s->line.p[s->line.len - 2] != '\r')
		return LINE_BAD;
	s->line.len -= 2;
	if (memchr(s->line.p, '\r', s->line.len) || memchr(s->line.p, '\0', s->line.len))
		return LINE_BAD;
	return LINE_OK;
}

int
client_hear_any(struct client *s, const char *at, struct reply_foreign *r)
{
	size_t octets = 0, len;
	bool last = false;

	reply_foreign_free(r);
	while (!last) {
		enum line_result l = hear_line(s);
		const char *text;
		int code;

		if (l != LINE_OK) {
			client_fail_line(s, at, l, r);
			return -1;
		}
		octets += s->line.len + 2;
		if (!reply_line(s->line.p, s->line.len, &code, &last, &text, &len)) {
			client_fail_garbage(s, at, "not a reply", r);
			return -1;
		}
		if (octets > CLIENT_REPLY_MAX) {
			client_fail_garbage(s, at, "reply too long", r);
			return -1;
		}
		if (reply_take(r, code, text, len) < 0) {
			if (errno == ENOMEM)
				client_fail_memory(s, at, r);
			else
				client_fail_garbage(s, at, "reply with different codes", r);
			return -1;
		}
	}
	return 0;
}

int
client_hear(struct client *s, const char *at, struct reply_foreign *r)
{
	if (client_hear_any(s, at, r) < 0)
		return -1;
	if (r->code != 421 && r->code / 100 != 3)
		return 0;
	client_hang_up(s); /* RFC 5321 3.8: after 421 the server closes; after a 3yz it waits for we do not know what */
	s->stale = s->spare && r->code == 421;
	if (s->stale)
		return -1;
	log_event(s->log, "failed", "to", s->to, "at", at, "reason",
	    r->code == 421 ? "server closes the session" : "server wants more than it was told", "text", r->text,
	    (char *)NULL);
	return -1;
}

bool
client_has_input(struct client *s)
{
	struct lineio *c = &s->conn;
	ssize_t r;

	if (c->pos < c->len)
		return true;
	r = recv(s->fd, c->in_buf, sizeof c->in_buf, MSG_DONTWAIT);
	c->pos = 0;
	c->len = r > 0 ? (size_t)r : 0;
	return r >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool
client_is_out_of_step(struct client *s, const char *at, struct reply_foreign *r)
{
	if (!client_has_input(s))
		return false;
	if (client_hear(s, at, r) == 0) /* an end, or 421, are themselves the answer */
		client_fail_garbage(s, at, "server speaks unasked", r);
	return true;
}

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

/* It said no to a step before any message. *r is its reply, not ours to judge. */
static void
refused(struct client *s, const char *at, const struct reply_foreign *r)
{
	char code[24];

	snprintf(code, sizeof code, "%d", r->code);
	log_event(s->log, "failed", "to", s->to, "at", at, "reason", "refused", "code", code, "text", r->text,
	    (char *)NULL);
	client_quit(s);
}

/* From here on the socket blocks, for a while. */
static int
be_patient(int fd)
{
	struct timeval tv = { CLIENT_SLICE_MS / 1000, CLIENT_SLICE_MS % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0 || fcntl(fd, F_SETFL, 0) < 0 ? -1 : 0;
}

/* Begin to speak over fd; whatever was heard or unsaid before is forgotten. */
static void
take_line(struct client *s, int fd, int64_t deadline_ms)
{
	s->fd = fd;
	lineio_open(&s->conn, fd, fd);
	s->conn.deadline_ms = deadline_ms;
	if (be_patient(fd) == 0)
		s->conn.slice_ms = CLIENT_SLICE_MS;
}

/*
 * TLS from here on: tlsc takes the connection, and we speak with it. What we hold of the conversation in the clear goes
 * with lineio_close. 0; or -1, *r is 451 4.7.5, and nothing was said.
 */
static int
start_tls(struct client *s, const struct nexthop *n, int64_t deadline_ms, struct reply_foreign *r)
{
	const char *name = s->conf->name ? s->conf->name : n->host;
	char seconds[16], why[STATUS_MAX], *argv[9], *line = NULL;
	size_t i = 0, len = 0;
	int left_s = clock_left(deadline_ms) / 1000 + 1;
	enum line_result l;

	snprintf(seconds, sizeof seconds, "%d", left_s < HANDSHAKE_MAX_S ? left_s : HANDSHAKE_MAX_S);
	argv[i++] = (char *)(uintptr_t)"tlsc";
	if (s->conf->cafile) {
		argv[i++] = (char *)(uintptr_t)"-c";
		argv[i++] = (char *)(uintptr_t)s->conf->cafile;
	}
	if (s->conf->fingerprint) {
		argv[i++] = (char *)(uintptr_t)"-F";
		argv[i++] = (char *)(uintptr_t)s->conf->fingerprint;
	}
	argv[i++] = (char *)(uintptr_t)"-t";
	argv[i++] = seconds;
	argv[i++] = (char *)(uintptr_t)(*name ? name : "localhost");
	argv[i] = NULL;
	if (helper_start(&s->tls, argv, s->fd) < 0) {
		client_fail(s, "TLS", REPLY_NO_SECURITY, strerror(errno), NULL, r);
		return -1;
	}
	lineio_close(&s->conn);
	close(s->fd);
	take_line(s, s->tls.fd, deadline_ms);
	s->conn.slice_ms = 0;
	s->conn.exact = true; /* what follows is the server's */
	l = lineio_line(&s->conn, STATUS_MAX, INT_MAX, &line, &len);
	if (l == LINE_OK && *line == '+') {
		take_line(s, s->tls.fd, deadline_ms);
		s->is_private = true;
		return 0;
	}
	snprintf(why, sizeof why, "%s", l == LINE_OK ? line + (*line == '-') :
	    l == LINE_TIMEOUT ? "no handshake until the deadline" : "tlsc did not start, or ended");
	client_fail(s, "TLS", REPLY_NO_SECURITY, why, NULL, r);
	return -1;
}

/* Of the greeting, or what stands in out: is it a yes? */
static int
hear_welcome(struct client *s, const char *at, struct reply_foreign *r)
{
	if (client_hear(s, at, r) < 0)
		return -1;
	if (r->code < 300)
		return 0;
	refused(s, at, r);
	return -1;
}

static int
say(struct client *s, const char *verb, const char *argument, struct reply_foreign *r)
{
	if (buf_printf(&s->conn.out, "%s%s%s\r\n", verb, *argument ? " " : "", argument) == 0)
		return 0;
	client_fail_memory(s, verb, r);
	return -1;
}

/* EHLO or LHLO. What an earlier one offered does not count any more (RFC 3207 4.2). */
static int
say_hello(struct client *s, struct reply_foreign *r)
{
	const char *verb = s->conf->lmtp ? "LHLO" : "EHLO";

	s->offer = (struct ehlo){ 0 };
	if (say(s, verb, s->host, r) < 0 || client_hear(s, verb, r) < 0)
		return -1;
	if (!s->conf->lmtp && (r->code == 500 || r->code == 502)) { /* RFC 5321 3.2: it knows no extensions, so none counts */
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

/* STARTTLS, its answer, TLS, and EHLO once more. Whatever comes between is 451 4.7.5: in the clear nothing is sent. */
static int
say_starttls(struct client *s, const struct nexthop *n, int64_t deadline_ms, struct reply_foreign *r)
{
	char code[24];

	if (!(s->offer.caps & CAP_STARTTLS)) {
		client_fail(s, "STARTTLS", REPLY_NO_SECURITY, "not offered", NULL, r);
		return -1;
	}
	if (client_is_out_of_step(s, "STARTTLS", r))
		return -1;
	if (say(s, "STARTTLS", "", r) < 0 || client_hear_any(s, "STARTTLS", r) < 0)
		return -1;
	if (r->code != 220) {
		snprintf(code, sizeof code, "refused with %d", r->code);
		client_fail(s, "STARTTLS", REPLY_NO_SECURITY, code, NULL, r);
		return -1;
	}
	if (client_has_input(s)) { /* somebody wants it to be taken for what comes under TLS */
		client_fail(s, "STARTTLS", REPLY_NO_SECURITY, "octets in the clear behind 220", NULL, r);
		return -1;
	}
	return start_tls(s, n, deadline_ms, r) < 0 || say_hello(s, r) < 0 ? -1 : 0;
}

int
client_open(struct client *s, const struct client_conf *conf, const struct nexthop *n, const char *host,
    int64_t deadline_ms, const struct log *log, struct reply_foreign *refusal)
{
	const bool loopback = conf->tls == CLIENT_CLEAR && conf->loopback;
	const char *why = NULL;
	int fd;

	s->conf = conf;
	s->open = s->kept = s->spare = s->stale = s->begun = false;
	s->is_private = n->is_unix;
	s->tls = (struct helper){ 0 };
	s->line = s->text = (struct buf){ 0 };
	s->log = log;
	s->to = n->text;
	snprintf(s->host, sizeof s->host, "%s", host);
	fd = nexthop_connect(n, loopback, deadline_ms, &why);
	if (fd < 0) {
		client_fail(s, "connect", REPLY_NEXT_HOP, why, NULL, refusal);
		return -1;
	}
	take_line(s, fd, deadline_ms);
	s->open = true;
	if (conf->tls == CLIENT_IMPLICIT && start_tls(s, n, deadline_ms, refusal) < 0)
		return -1;
	if (hear_welcome(s, "greeting", refusal) < 0 || client_is_out_of_step(s, "greeting", refusal) ||
	    say_hello(s, refusal) < 0)
		return -1;
	if (conf->tls == CLIENT_STARTTLS && say_starttls(s, n, deadline_ms, refusal) < 0)
		return -1;
	return conf->credentials < 0 ? 0 : client_authenticate(s, n, refusal);
}

void
client_quit(struct client *s)
{
	if (!s->open) /* nothing is written here: idle workers share the page */
		return;
	if (buf_puts(&s->conn.out, "QUIT\r\n") == 0)
		lineio_flush(&s->conn, 0);
	end(s, QUIT_MS);
}
