/* ISC licence, see LICENSE. */
#include "deliver/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { GARBAGE_LOGGED = 200 }; /* octets logged of a line that is not a reply */

/* Make the socket blocking, with timeouts of WIRE_SLICE_MS. Returns 0, or -1 with errno set. */
static int
set_blocking(int fd)
{
	struct timeval tv = { WIRE_SLICE_MS / 1000, WIRE_SLICE_MS % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0 || fcntl(fd, F_SETFL, 0) < 0 ? -1 : 0;
}

void
wire_open(struct wire *w, int fd, int64_t deadline_ms)
{
	w->state = WIRE_FRESH;
	w->fd = fd;
	lineio_open(&w->conn, fd, fd);
	w->conn.deadline_ms = deadline_ms;
	if (set_blocking(fd) == 0)
		w->conn.slice_ms = WIRE_SLICE_MS;
}

bool
wire_is_open(const struct wire *w)
{
	return w->state > WIRE_GONE;
}

void
wire_close(struct wire *w, int grace_ms)
{
	if (wire_is_open(w)) {
		lineio_close(&w->conn);
		if (w->tls.pid != 0)
			helper_stop(&w->tls, grace_ms);
		else
			close(w->fd);
		w->state = WIRE_CLOSED;
	}
	buf_free(&w->line);
}

void
wire_fail(struct wire *w, const char *at, enum reply reply, const char *reason, const char *text,
    struct reply_foreign *r)
{
	wire_close(w, 0);
	reply_foreign_free(r);
	if (w->replaceable && reply == REPLY_NEXT_HOP_LOST) { /* a server may close an idle session */
		w->state = WIRE_GONE;
		return;
	}
	log_event(w->log, "failed", "to", w->to, "at", at, "reason", reason, "text", text, (char *)NULL);
	reply_set(r, reply, NULL);
}

void
wire_fail_memory(struct wire *w, const char *at, struct reply_foreign *r)
{
	wire_fail(w, at, REPLY_NO_MEMORY, "out of memory", NULL, r);
}

void
wire_fail_garbage(struct wire *w, const char *at, const char *reason, struct reply_foreign *r)
{
	char text[GARBAGE_LOGGED + 1];
	size_t n = w->line.len < GARBAGE_LOGGED ? w->line.len : GARBAGE_LOGGED, i;

	for (i = 0; i < n; i++)
		text[i] = w->line.p[i] ? w->line.p[i] : '?';
	text[n] = '\0';
	if (strcmp(at, "AUTH") == 0) /* the server may quote the password */
		n = 0;
	wire_fail(w, at, REPLY_LOCAL_ERROR, reason, n > 0 ? text : NULL, r);
}

void
wire_fail_line(struct wire *w, const char *at, enum line_result l, struct reply_foreign *r)
{
	if (l == LINE_TIMEOUT)
		wire_fail(w, at, REPLY_LATE, "no answer until the deadline", NULL, r);
	else if (l == LINE_EOF)
		wire_fail(w, at, REPLY_NEXT_HOP_LOST, "connection closed", NULL, r);
	else if (l == LINE_ERROR)
		wire_fail(w, at, REPLY_NEXT_HOP_LOST, strerror(errno), NULL, r);
	else
		wire_fail_garbage(w, at, l == LINE_LONG ? "line too long" : "bare CR, bare LF or NUL in a reply", r);
}

/*
 * Read one line of a reply into w->line, without CRLF. lineio_line would read a line that is too long to its end; here
 * such a line ends the session at once. LINE_ERROR: errno is set (ENOMEM: w->line cannot grow).
 */
static enum line_result
hear_line(struct wire *w)
{
	struct lineio *c = &w->conn;
	char *lf = NULL;

	buf_clear(&w->line);
	while (!lf) {
		enum line_result r = lineio_fill(c, INT_MAX);
		size_t n;

		/* Our output could not be written: the server has closed. It may have sent the reason before: read again. */
		if (r == LINE_ERROR && (errno == EPIPE || errno == ECONNRESET))
			r = lineio_fill(c, INT_MAX);
		if (r != LINE_OK)
			return r;
		lf = memchr(c->in_buf + c->pos, '\n', c->len - c->pos);
		n = lf ? (size_t)(lf - c->in_buf) + 1 - c->pos : c->len - c->pos;
		if (w->line.len + n > WIRE_LINE_MAX)
			return LINE_LONG;
		if (buf_add(&w->line, c->in_buf + c->pos, n) < 0)
			return LINE_ERROR;
		c->pos += n;
	}
	if (w->line.len < 2 || w->line.p[w->line.len - 2] != '\r')
		return LINE_BAD;
	w->line.len -= 2;
	if (memchr(w->line.p, '\r', w->line.len) || memchr(w->line.p, '\0', w->line.len))
		return LINE_BAD;
	return LINE_OK;
}

int
wire_hear_any(struct wire *w, const char *at, struct reply_foreign *r)
{
	size_t octets = 0, len;
	bool last = false;

	reply_foreign_free(r);
	while (!last) {
		enum line_result l = hear_line(w);
		const char *text;
		int code;

		if (l != LINE_OK) {
			wire_fail_line(w, at, l, r);
			return -1;
		}
		octets += w->line.len + 2;
		if (!reply_line(w->line.p, w->line.len, &code, &last, &text, &len)) {
			wire_fail_garbage(w, at, "not a reply", r);
			return -1;
		}
		if (octets > WIRE_REPLY_MAX) {
			wire_fail_garbage(w, at, "reply too long", r);
			return -1;
		}
		if (reply_take(r, code, text, len) < 0) {
			if (errno == ENOMEM)
				wire_fail_memory(w, at, r);
			else
				wire_fail_garbage(w, at, "reply with different codes", r);
			return -1;
		}
	}
	return 0;
}

int
wire_hear(struct wire *w, const char *at, struct reply_foreign *r)
{
	if (wire_hear_any(w, at, r) < 0)
		return -1;
	if (r->code != 421 && r->code / 100 != 3)
		return 0;
	wire_close(w, 0); /* RFC 5321 3.8: after 421 the server closes. After 3yz it waits for input that we do not have. */
	if (w->replaceable && r->code == 421) {
		w->state = WIRE_GONE;
		reply_foreign_free(r);
		return -1;
	}
	log_event(w->log, "failed", "to", w->to, "at", at, "reason",
	    r->code == 421 ? "server closes the session" : "server wants more input", "text", r->text,
	    (char *)NULL);
	return -1;
}

bool
wire_has_input(struct wire *w)
{
	struct lineio *c = &w->conn;
	ssize_t r;

	if (c->pos < c->len)
		return true;
	r = recv(w->fd, c->in_buf, sizeof c->in_buf, MSG_DONTWAIT);
	c->pos = 0;
	c->len = r > 0 ? (size_t)r : 0;
	return r >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool
wire_is_out_of_step(struct wire *w, const char *at, struct reply_foreign *r)
{
	if (!wire_has_input(w))
		return false;
	if (wire_hear(w, at, r) == 0) /* an end of the connection and 421 have failed in wire_hear, with the right reason */
		wire_fail_garbage(w, at, "server sent a reply unasked", r);
	return true;
}
