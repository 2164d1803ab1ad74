/* ISC licence, see LICENSE. */
#include "lmtp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "os.h"

enum {
	BLOCK = 65536,       /* octets of the message sent at once */
	BACKLOG_NAP_MS = 5,  /* until a Unix socket whose backlog is full is tried again */
	GARBAGE_LOGGED = 200, /* octets of what was no reply */
	SLICE_MS = 1000,      /* a read or write that waits by itself looks at the clock so often */
	STEP = 131072,        /* octets given to the socket between two looks at the clock */
	BUFFER_KEPT = 2 * BLOCK, /* octets that a kept session's buffers may hold on to */
	SCAN = 16,            /* octets looked at together */
};

int
lmtp_address(struct lmtp_address *a, const char *text)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t len, i;

	*a = (struct lmtp_address){ .text = text };
	if (strchr(text, '/')) {
		a->is_unix = true;
		return strlen(text) < sizeof((struct sockaddr_un *)0)->sun_path ? 0 : -1;
	}
	if (!colon)
		return -1;
	len = (size_t)(colon - text);
	if (*text == '[') {
		if (len < 2 || text[len - 1] != ']')
			return -1;
		host++;
		len -= 2;
	} else if (memchr(text, ':', len))
		return -1;
	if (len == 0 || len > LMTP_HOST_MAX || colon[1] == '\0' || strlen(colon + 1) > 5)
		return -1;
	for (i = 1; colon[i]; i++)
		if (colon[i] < '0' || colon[i] > '9')
			return -1;
	if (atoi(colon + 1) < 1 || atoi(colon + 1) > 65535)
		return -1;
	snprintf(a->host, sizeof a->host, "%.*s", (int)len, host);
	snprintf(a->port, sizeof a->port, "%s", colon + 1);
	return 0;
}

/* A connected, non-blocking socket, or -1 with errno. */
static int
connect_to(int family, const struct sockaddr *sa, socklen_t len, int64_t deadline_ms)
{
	int fd = socket(family, SOCK_STREAM, 0), e = 0, on = 1;
	socklen_t size = sizeof e;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		goto fail;
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* the end of a message waits for nothing */
	while (connect(fd, sa, len) < 0) {
		if (errno == EAGAIN) { /* only a Unix socket says so: its backlog is full, and there is no event for that */
			if (clock_left(deadline_ms) == 0) {
				errno = ETIMEDOUT;
				goto fail;
			}
			poll(NULL, 0, BACKLOG_NAP_MS);
			continue;
		}
		if (errno != EINPROGRESS && errno != EINTR)
			goto fail;
		while ((e = poll(&p, 1, clock_left(deadline_ms))) < 0 && errno == EINTR)
			;
		if (e == 0)
			errno = ETIMEDOUT;
		if (e <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0)
			goto fail;
		errno = e;
		if (e)
			goto fail;
		break;
	}
	return fd;
fail:
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

static int
connect_unix(const char *path, int64_t deadline_ms)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	return connect_to(AF_UNIX, (struct sockaddr *)&sun, sizeof sun, deadline_ms);
}

/* Each address of the name in turn, in an equal share of the time. *why: getaddrinfo's reason, where it was that. */
static int
connect_inet(const struct lmtp_address *a, int64_t deadline_ms, const char **why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list, *ai;
	int r, n = 0, fd = -1, e = 0;

	r = getaddrinfo(a->host, a->port, &hints, &list);
	if (r != 0) {
		*why = gai_strerror(r);
		return -1;
	}
	for (ai = list; ai; ai = ai->ai_next)
		n++;
	for (ai = list; ai && fd < 0; ai = ai->ai_next, n--) {
		fd = connect_to(ai->ai_family, ai->ai_addr, ai->ai_addrlen, clock_ms() + clock_left(deadline_ms) / n);
		e = errno;
	}
	freeaddrinfo(list);
	errno = e;
	return fd;
}

/* No more is said and heard in this session. */
static void
hang_up(struct lmtp *s)
{
	if (s->open) {
		conn_close(&s->conn);
		close(s->fd);
	}
	buf_free(&s->line);
	buf_free(&s->text);
	s->open = false;
}

/* The session has ended at a step (a verb): say so in the log, and in *r what to tell whoever has no answer. */
static void
fail(struct lmtp *s, const char *at, enum reply reply, const char *reason, const char *text, struct reply_foreign *r)
{
	hang_up(s);
	reply_foreign_free(r);
	s->stale = s->kept && reply == REPLY_NEXT_HOP_LOST; /* it closed while it was idle, as it may */
	if (!s->stale) {
		log_event(s->log, "failed", "to", s->to, "at", at, "reason", reason, "text", text, (char *)NULL);
		reply_set(r, reply, NULL);
	}
}

static void
fail_memory(struct lmtp *s, const char *at, struct reply_foreign *r)
{
	fail(s, at, REPLY_NO_MEMORY, "out of memory", NULL, r);
}

static void
fail_garbage(struct lmtp *s, const char *at, const char *reason, struct reply_foreign *r)
{
	char text[GARBAGE_LOGGED + 1];
	size_t n = s->line.len < GARBAGE_LOGGED ? s->line.len : GARBAGE_LOGGED, i;

	for (i = 0; i < n; i++)
		text[i] = s->line.p[i] ? s->line.p[i] : '?';
	text[n] = '\0';
	fail(s, at, REPLY_LOCAL_ERROR, reason, n > 0 ? text : NULL, r);
}

static void
fail_line(struct lmtp *s, const char *at, enum line_result l, struct reply_foreign *r)
{
	if (l == LINE_TIMEOUT)
		fail(s, at, REPLY_LATE, "no answer until the deadline", NULL, r);
	else if (l == LINE_EOF)
		fail(s, at, REPLY_NEXT_HOP_LOST, "connection closed", NULL, r);
	else if (l == LINE_ERROR)
		fail(s, at, REPLY_NEXT_HOP_LOST, strerror(errno), NULL, r);
	else
		fail_garbage(s, at, l == LINE_LONG ? "line too long" : "bare CR, bare LF or NUL in a reply", r);
}

/*
 * One line of a reply into s->line, without CRLF. Not conn_line, which reads on to the end of a line that is too long:
 * here such a line ends the session at once. ENOMEM is LINE_ERROR.
 */
static enum line_result
hear_line(struct lmtp *s)
{
	struct conn *c = &s->conn;
	char *lf = NULL;

	buf_clear(&s->line);
	while (!lf) {
		enum line_result r = conn_fill(c, INT_MAX);
		size_t n;

		/* What we had to say could not be said: the server has closed, and may have said why before that. */
		if (r == LINE_ERROR && (errno == EPIPE || errno == ECONNRESET))
			r = conn_fill(c, INT_MAX);
		if (r != LINE_OK)
			return r;
		lf = memchr(c->in_buf + c->pos, '\n', c->len - c->pos);
		n = lf ? (size_t)(lf - c->in_buf) + 1 - c->pos : c->len - c->pos;
		if (s->line.len + n > LMTP_LINE_MAX)
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

/* The next reply, to at (a verb), into *r, whatever it says. 0; or -1: none came, as hear. */
static int
hear_any(struct lmtp *s, const char *at, struct reply_foreign *r)
{
	size_t octets = 0, len;
	bool last = false;

	reply_foreign_free(r);
	while (!last) {
		enum line_result l = hear_line(s);
		const char *text;
		int code;

		if (l != LINE_OK) {
			fail_line(s, at, l, r);
			return -1;
		}
		octets += s->line.len + 2;
		if (!reply_line(s->line.p, s->line.len, &code, &last, &text, &len)) {
			fail_garbage(s, at, "not a reply", r);
			return -1;
		}
		if (octets > LMTP_REPLY_MAX) {
			fail_garbage(s, at, "reply too long", r);
			return -1;
		}
		if (reply_take(r, code, text, len) < 0) {
			if (errno == ENOMEM)
				fail_memory(s, at, r);
			else
				fail_garbage(s, at, "reply with different codes", r);
			return -1;
		}
	}
	return 0;
}

/*
 * The next reply, a yes or a no. 0; or -1: there is none, or it was the last of the session, and *r is what everybody
 * hears who has no answer yet.
 */
static int
hear(struct lmtp *s, const char *at, struct reply_foreign *r)
{
	if (hear_any(s, at, r) < 0)
		return -1;
	if (r->code != 421 && r->code / 100 != 3)
		return 0;
	hang_up(s); /* RFC 5321 3.8: after 421 the server closes; after a 3yz it waits for we do not know what */
	s->stale = s->kept && r->code == 421;
	if (s->stale)
		return -1;
	log_event(s->log, "failed", "to", s->to, "at", at, "reason",
	    r->code == 421 ? "server closes the session" : "server wants more than it was told", "text", r->text,
	    (char *)NULL);
	return -1;
}

/* A reply has come that nobody asked for (yet), or the end. Looking takes it in, as the next to be heard. */
static bool
has_input(struct lmtp *s)
{
	struct conn *c = &s->conn;
	ssize_t r;

	if (c->pos < c->len)
		return true;
	r = recv(s->fd, c->in_buf, sizeof c->in_buf, MSG_DONTWAIT);
	c->pos = 0;
	c->len = r > 0 ? (size_t)r : 0;
	return r >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* It speaks unasked, so what it says next would be taken for the answer to something else. true: *r is the answer. */
static bool
is_out_of_step(struct lmtp *s, const char *at, struct reply_foreign *r)
{
	if (!has_input(s))
		return false;
	if (hear(s, at, r) == 0) /* an end, or 421, are themselves the answer */
		fail_garbage(s, at, "server speaks unasked", r);
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

/* Of greeting and LHLO: is it a yes? */
static int
hear_welcome(struct lmtp *s, const char *at, struct reply_foreign *r)
{
	char code[24];

	if (hear(s, at, r) < 0)
		return -1;
	if (r->code < 300)
		return 0;
	snprintf(code, sizeof code, "%d", r->code);
	log_event(s->log, "failed", "to", s->to, "at", at, "reason", "refused", "code", code, "text", r->text,
	    (char *)NULL);
	lmtp_quit(s);
	return -1;
}

/* From here on the socket blocks, for a while. */
static int
be_patient(int fd)
{
	struct timeval tv = { SLICE_MS / 1000, SLICE_MS % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0 || fcntl(fd, F_SETFL, 0) < 0 ? -1 : 0;
}

int
lmtp_open(struct lmtp *s, const struct lmtp_address *a, const char *host, int64_t deadline_ms, const struct log *log,
    struct reply_foreign *refusal)
{
	const char *why = NULL;

	s->open = s->kept = s->stale = s->begun = false;
	s->line = s->text = (struct buf){ 0 };
	s->log = log;
	s->to = a->text;
	snprintf(s->host, sizeof s->host, "%s", host);
	s->fd = a->is_unix ? connect_unix(a->text, deadline_ms) : connect_inet(a, deadline_ms, &why);
	if (s->fd < 0) {
		fail(s, "connect", REPLY_NEXT_HOP, why ? why : strerror(errno), NULL, refusal);
		return -1;
	}
	conn_open(&s->conn, s->fd, s->fd);
	s->conn.deadline_ms = deadline_ms;
	if (be_patient(s->fd) == 0)
		s->conn.slice_ms = SLICE_MS;
	s->open = true;
	if (hear_welcome(s, "greeting", refusal) < 0)
		return -1;
	if (is_out_of_step(s, "greeting", refusal))
		return -1;
	if (buf_printf(&s->conn.out, "LHLO %s\r\n", host) < 0) {
		fail_memory(s, "LHLO", refusal);
		return -1;
	}
	if (hear_welcome(s, "LHLO", refusal) < 0)
		return -1;
	take_keywords(&s->offer, refusal->text);
	reply_foreign_free(refusal);
	return 0;
}

void
lmtp_quit(struct lmtp *s)
{
	if (s->open && buf_puts(&s->conn.out, "QUIT\r\n") == 0)
		conn_flush(&s->conn, 0);
	hang_up(s);
}

/* What the text of a message is, as far as the transport cares. */
struct text {
	bool is_8bit;
	bool is_bare; /* a CR or an LF that is not of a CRLF */
	bool is_dotted; /* a line begins with a dot */
	bool no_end;  /* the last line has no CRLF */
	bool is_here; /* all of it is in the session's text, behind one octet that is not of it */
};

/* What n octets tell, and the one before them: p[-1]. SCAN of them side by side, which compilers make a vector of. */
static void
look_at_part(struct text *t, const unsigned char *p, size_t n)
{
	unsigned char high[SCAN] = { 0 }, bare[SCAN] = { 0 }, dot[SCAN] = { 0 };
	size_t i;

	for (; n >= SCAN; n -= SCAN, p += SCAN)
		for (i = 0; i < SCAN; i++) {
			high[i] |= p[i];
			bare[i] |= (unsigned char)((p[i] == '\n') ^ (p[i - 1] == '\r'));
			dot[i] |= (unsigned char)((p[i] == '.') & (p[i - 1] == '\n'));
		}
	for (i = 0; i < n; i++) {
		high[i] |= p[i];
		bare[i] |= (unsigned char)((p[i] == '\n') ^ (p[i - 1] == '\r'));
		dot[i] |= (unsigned char)((p[i] == '.') & (p[i - 1] == '\n'));
	}
	for (i = 0; i < SCAN; i++) {
		t->is_8bit |= high[i] > 127;
		t->is_bare |= bare[i];
		t->is_dotted |= dot[i];
	}
}

/* n octets from off on, all of them. 0, or -1 with errno. */
static int
read_part(int fd, char *p, size_t n, off_t off)
{
	while (n > 0) {
		ssize_t r = pread(fd, p, n, off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return -1;
		p += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

static int
look_at(struct lmtp *s, struct text *t, int fd, off_t size)
{
	struct buf *b = &s->text;
	off_t off = 0;
	char last = '\n'; /* before the text it counts as LF, so an LF at its start is bare too */

	*t = (struct text){ 0 };
	buf_clear(b);
	if (buf_room(b, 1 + (size < BLOCK ? (size_t)size : BLOCK)) < 0)
		return -1;
	while (off < size) {
		size_t n = size - off < BLOCK ? (size_t)(size - off) : BLOCK;

		b->p[0] = last;
		if (read_part(fd, b->p + 1, n, off) < 0)
			return -1;
		look_at_part(t, (unsigned char *)b->p + 1, n);
		last = b->p[n];
		off += (off_t)n;
		b->len = 1 + n;
	}
	t->is_here = size <= BLOCK && size > 0;
	t->is_bare |= last == '\r';
	t->no_end = last != '\n';
	return 0;
}

static bool
is_binary(const struct envelope_line *mail)
{
	const char *value;
	size_t len;

	return envelope_param(mail, PARAM_BODY, &value, &len) && len == 10; /* the only value of that length */
}

/* The MAIL command: the envelope's parameters, less BODY, which is what the text needs, and SIZE. 0, or -1: ENOMEM. */
static int
say_mail(struct lmtp *s, const struct delivery *d, const struct text *t)
{
	const struct envelope_line *mail = &d->envelope.mail;
	const char *p = mail->params, *end = p + strlen(p), *key, *value;
	struct buf *out = &s->conn.out;
	size_t keylen, valuelen;

	if (buf_printf(out, "MAIL FROM:<%.*s>", (int)mail->path_len, mail->path) < 0)
		return -1;
	if (is_binary(mail)) {
		if (buf_puts(out, " BODY=BINARYMIME") < 0)
			return -1;
	} else if (s->offer.caps & CAP_8BITMIME) {
		if (t->is_8bit ? buf_puts(out, " BODY=8BITMIME") < 0
		               : envelope_param(mail, PARAM_BODY, &value, &valuelen) &&
		                buf_printf(out, " BODY=%.*s", (int)valuelen, value) < 0)
			return -1;
	}
	while (param_next(&p, end, &key, &keylen, &value, &valuelen) > 0) {
		enum param k = param_find(key, keylen, PARAM_OF_MAIL);

		if (k == PARAM_BODY || k == PARAM_SIZE || (k == PARAM_AUTH && !(s->offer.caps & CAP_AUTH)))
			continue;
		if (buf_printf(out, value ? " %.*s=%.*s" : " %.*s", (int)keylen, key, (int)valuelen, value ? value : "") < 0)
			return -1;
	}
	if (s->offer.caps & CAP_SIZE && buf_printf(out, " SIZE=%lld", (long long)d->size) < 0)
		return -1;
	return buf_puts(out, "\r\n");
}

/* What the server cannot do is refused before anything is said. true: nothing is left to be sent. */
static bool
refuse_unable(struct lmtp *s, struct delivery *d, struct text *t)
{
	const struct envelope_line *mail = &d->envelope.mail;
	char text[DELIVERY_TEXT_MAX];
	enum reply r = delivery_check(mail, s->offer.caps, text);
	size_t i;

	*t = (struct text){ 0 };
	if (r == REPLY_OK && s->offer.caps & CAP_SIZE && s->offer.size > 0 && d->size > s->offer.size)
		r = REPLY_TOO_BIG; /* RFC 1870 6.1 */
	if (r == REPLY_OK && !is_binary(mail)) {
		if (look_at(s, t, d->message, d->size) < 0) {
			log_error(s->log, "failed", "message:");
			r = REPLY_LOCAL_ERROR;
		} else if (t->is_bare) { /* RFC 5321 2.3.8; the stages in front let none pass, so one of them is broken */
			log_error(s->log, "misuse", "bare CR or bare LF in the message");
			r = REPLY_LOCAL_ERROR;
		} else if (t->is_8bit && !(s->offer.caps & CAP_8BITMIME)) /* RFC 6152 3 */
			r = REPLY_NO_8BIT;
	}
	if (r != REPLY_OK) {
		delivery_reply_all(d, r, *text ? text : NULL);
		return true;
	}
	for (i = 0; i < d->lines; i++) {
		if (!delivery_is_pending(d, i))
			continue;
		r = delivery_check(&d->envelope.rcpt[i], s->offer.caps, text);
		if (r != REPLY_OK)
			delivery_reply(d, i, r, *text ? text : NULL);
	}
	return delivery_is_over(d);
}

/* The first pending line from i on; d->lines: none. */
static size_t
next_pending(const struct delivery *d, size_t i)
{
	while (i < d->lines && !delivery_is_pending(d, i))
		i++;
	return i;
}

/*
 * MAIL and all RCPTs, pipelined within the window where the server allows it: a whole one at first, then half a window
 * at a time, so that replies are read before they could fill the server's way to us. DATA is never in the group: what
 * was accepted decides whether there is any (RFC 2033 4.2). A line that is accepted stays pending; both cursors only
 * go forward, and hearing is behind saying, so "pending" tells either of them the same lines.
 */
static void
say_envelope(struct lmtp *s, struct delivery *d, const struct text *t)
{
	const size_t window = s->offer.caps & CAP_PIPELINING ? LMTP_WINDOW : 1;
	struct reply_foreign r = { 0 };
	size_t said = next_pending(d, 0), heard = said, i;
	size_t open = 1;                   /* commands whose reply has not come; the first of all is MAIL */
	bool mail = true;                  /* its reply is the next */
	bool more = true, refused = false; /* name more recipients; there is no transaction: their replies are not theirs */
	int failed = say_mail(s, d, t);

	while (s->open && (open > 0 || (more && said < d->lines))) {
		for (; !failed && more && open < window && said < d->lines; said = next_pending(d, said + 1), open++)
			failed = buf_printf(&s->conn.out, "RCPT TO:%s\r\n", d->envelope.rcpt[said].text + strlen("RCPT TO:"));
		if (failed) {
			fail_memory(s, "RCPT", &r);
			break;
		}
		do {
			if (hear(s, mail ? "MAIL" : "RCPT", &r) < 0)
				break;
			open--;
			if (mail) {
				mail = s->kept = false;
				refused = r.code >= 300;
				s->begun = !refused;
				more = !refused;
				if (refused)
					delivery_answer_all(d, &r);
			} else if (!refused) {
				i = heard;
				heard = next_pending(d, heard + 1);
				if (r.code >= 300) {
					delivery_answer(d, i, &r);
					more = more && (d->partial || i >= d->envelope.nrcpt); /* else nothing will be sent */
				}
			}
		} while (open > window / 2);
	}
	if (!s->open && !s->stale)
		delivery_answer_all(d, &r);
	reply_foreign_free(&r);
}

/* Append n octets of text, a dot at the start of a line doubled (RFC 5321 4.5.2). *before: the octet before them. */
static int
add_stuffed(struct buf *out, const char *p, size_t n, char *before)
{
	const char *start = p, *end = p + n, *dot;

	while ((dot = memchr(p, '.', (size_t)(end - p)))) {
		p = dot + 1;
		if ((dot > start ? dot[-1] : *before) != '\n')
			continue;
		if (buf_add(out, start, (size_t)(p - start)) < 0)
			return -1;
		start = dot; /* which is written once more with what follows */
	}
	if (n > 0)
		*before = end[-1];
	return buf_add(out, start, (size_t)(end - start));
}

/* Write what is in conn.out, a part of the text. 0; or -1: the message did not get through, *r is the answer. */
static int
say_block(struct lmtp *s, struct reply_foreign *r)
{
	if (conn_flush(&s->conn, INT_MAX) == 0)
		return 0;
	if (errno == ETIMEDOUT)
		fail(s, "text", REPLY_LATE, "text not taken until the deadline", NULL, r);
	else if (hear(s, "text", r) == 0) { /* it has closed, and may have said why before that */
		if (r->code < 300)
			fail_line(s, "text", LINE_EOF, r);
		hang_up(s);
	}
	return -1;
}

/*
 * From *off on, without passing through this process, as long as more than n octets are left, the system can and there
 * is time to look at the clock. Result as say_block.
 */
static int
say_file(struct lmtp *s, const struct delivery *d, off_t *off, off_t n, struct reply_foreign *r)
{
	while (d->size - *off > n && clock_left(d->deadline_ms) > SLICE_MS) {
		off_t left = d->size - *off - n;
		ssize_t put;

		if (s->conn.out.len > 0 && say_block(s, r) < 0)
			return -1;
		put = os_copy_some(s->fd, d->message, off, left < STEP ? (size_t)left : STEP);
		if (put < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
			continue;
		if (put <= 0) /* whatever it is, whoever writes next finds out */
			break;
	}
	return 0;
}

/*
 * All of the message but its last block to the server, that one to conn.out; with dots for DATA, as it is for BDAT.
 * Result as say_block.
 */
static int
say_text(struct lmtp *s, const struct delivery *d, const struct text *t, bool dots, struct reply_foreign *r)
{
	char block[BLOCK], before = '\n';
	off_t off = 0;

	dots &= t->is_dotted;
	if (!dots && say_file(s, d, &off, BLOCK, r) < 0)
		return -1;
	while (off < d->size) {
		size_t n = d->size - off < BLOCK ? (size_t)(d->size - off) : BLOCK;
		const char *p = t->is_here ? s->text.p + 1 : block;

		if (s->conn.out.len >= BLOCK && say_block(s, r) < 0)
			return -1;
		if (!t->is_here && read_part(d->message, block, n, off) < 0) {
			fail(s, "text", REPLY_LOCAL_ERROR, strerror(errno), NULL, r);
			return -1;
		}
		if (dots ? add_stuffed(&s->conn.out, p, n, &before) < 0 : buf_add(&s->conn.out, p, n) < 0) {
			fail_memory(s, "text", r);
			return -1;
		}
		off += (off_t)n;
	}
	return 0;
}

/*
 * The point of no return is just behind this. The server has been asked nothing, so it has nothing to say: what it says
 * can only be that it does not want the rest. -1: *r is the answer, and the session is closed, the one way to take back
 * a message that was begun.
 */
static int
check_before_end(struct lmtp *s, const struct delivery *d, struct reply_foreign *r)
{
	if (has_input(s)) {
		if (hear(s, "text", r) == 0) {
			if (r->code < 300)
				fail_garbage(s, "text", "yes to a message that was not complete", r);
			hang_up(s);
		}
		return -1;
	}
	if (!delivery_is_wanted(d)) {
		hang_up(s);
		reply_set(r, REPLY_LATE, NULL);
		return -1;
	}
	return 0;
}

/* DATA and the reply that lets us go on. -1: *r is the answer. */
static int
say_data(struct lmtp *s, struct reply_foreign *r)
{
	if (buf_puts(&s->conn.out, "DATA\r\n") < 0) {
		fail_memory(s, "DATA", r);
		return -1;
	}
	if (hear_any(s, "DATA", r) < 0)
		return -1;
	if (r->code == 354) {
		reply_foreign_free(r);
		return 0;
	}
	if (r->code < 400)
		fail_garbage(s, "DATA", "neither 354 nor a refusal", r);
	else if (r->code == 421)
		hang_up(s);
	return -1;
}

/* The replies after the text: one for each line that is pending, in order (RFC 2033 4.2). */
static void
hear_verdicts(struct lmtp *s, struct delivery *d, bool chunk, struct reply_foreign *r)
{
	bool first = true;
	size_t i;

	for (i = next_pending(d, 0); i < d->lines; i = next_pending(d, i + 1)) {
		if (hear(s, "end of text", r) < 0) {
			delivery_answer_all(d, r);
			return;
		}
		if (chunk && first && r->code / 10 == 50) { /* of BDAT itself, not of a recipient: no other will come */
			hang_up(s);
			delivery_answer_all(d, r);
			return;
		}
		first = false;
		delivery_answer(d, i, r);
	}
	s->begun = false;
}

/* The text to those who were accepted, and what becomes of it. */
static void
say_message(struct lmtp *s, struct delivery *d, const struct text *t)
{
	const bool chunk = s->offer.caps & CAP_CHUNKING; /* no turn more, as for DATA, and no dots (RFC 3030 2) */
	const char *end = t->no_end ? "\r\n" : "";
	struct reply_foreign r = { 0 };
	/* a chunk that goes out with all of its text is looked after by check_before_end */
	bool failed = (!chunk || d->size > BLOCK) && is_out_of_step(s, "DATA", &r);

	if (!failed && chunk) {
		failed = buf_printf(&s->conn.out, "BDAT %lld LAST\r\n", (long long)d->size + (long long)strlen(end)) < 0;
		if (failed)
			fail_memory(s, "BDAT", &r);
	} else if (!failed)
		failed = say_data(s, &r) < 0;
	if (!failed)
		failed = say_text(s, d, t, !chunk, &r) < 0;
	if (!failed && buf_printf(&s->conn.out, "%s%s", end, chunk ? "" : ".\r\n") < 0) {
		failed = true;
		fail_memory(s, "text", &r);
	}
	if (failed || check_before_end(s, d, &r) < 0 || say_block(s, &r) < 0)
		delivery_answer_all(d, &r);
	else
		hear_verdicts(s, d, chunk, &r);
	reply_foreign_free(&r);
}

/* A kept session: is it still one? Whatever it has said meanwhile, it is not about this message. */
static void
wake(struct lmtp *s)
{
	struct reply_foreign r = { 0 };

	s->stale = has_input(s) || (s->begun && buf_puts(&s->conn.out, "RSET\r\n") < 0);
	if (!s->stale && s->begun && hear(s, "RSET", &r) == 0) {
		s->stale = r.code >= 300;
		s->begun = false;
	}
	if (s->stale)
		hang_up(s);
	reply_foreign_free(&r);
}

int
lmtp_deliver(struct lmtp *s, struct delivery *d)
{
	struct reply_foreign r = { 0 };
	struct text t;

	s->log = &d->call->log;
	s->conn.deadline_ms = d->deadline_ms;
	s->stale = false;
	if (!refuse_unable(s, d, &t)) {
		if (s->kept)
			wake(s);
		if (s->open && !s->kept && is_out_of_step(s, "MAIL", &r))
			delivery_answer_all(d, &r);
		else if (s->open) {
			say_envelope(s, d, &t);
			if (!s->stale && !delivery_is_over(d))
				say_message(s, d, &t);
		} else if (!s->stale) /* RSET was not answered in time */
			delivery_reply_all(d, REPLY_LATE, NULL);
	}
	reply_foreign_free(&r);
	s->kept = s->open;
	s->log = NULL;
	buf_clear(&s->line);
	if (s->text.cap > BUFFER_KEPT)
		buf_free(&s->text);
	buf_clear(&s->text);
	if (s->open && s->conn.out.cap > BUFFER_KEPT)
		buf_free(&s->conn.out);
	return s->stale ? -1 : 0;
}
