/* ISC licence, see LICENSE. */
/* client_deliver: one message over an open session. */
#include "deliver/client.h"
#include "smtp/param.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "mail/textscan.h"
#include "smtp/addr.h"

enum {
	WINDOW = 64,      /* commands pipelined at once: their replies fit in any socket's buffer */
	STEP = 131072,    /* octets given to the socket between two looks at the clock */
	BUFFER_KEPT = 2 * TEXTSCAN_BLOCK, /* octets of the largest buffer that a kept session keeps */
};

static bool
is_binary(const struct envelope_line *mail)
{
	const char *value;
	size_t len;

	return envelope_param(mail, "BODY", &value, &len) && len == 10; /* BINARYMIME is the only value of that length */
}

/*
 * Append AUTH= (RFC 4954 5): the submitter's mailbox if the configuration vouches for it, else <>.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
static int
add_submitter(struct buf *out, const struct client_conf *conf, const struct facts *f)
{
	const char *user = conf->auth_param == CLIENT_AUTH_USER ? facts_get(f, "SMTPAUTHUSER") : NULL;
	char path[ADDR_MAILBOX_MAX + 3];
	struct addr a;
	size_t used;

	if (!user || strlen(user) > ADDR_MAILBOX_MAX)
		return buf_puts(out, " AUTH=<>");
	snprintf(path, sizeof path, "<%s>", user);
	if (addr_path(path, strlen(path), &a, &used) < 0 || path[used] || !a.has_domain || a.is_utf8)
		return buf_puts(out, " AUTH=<>");
	if (buf_puts(out, " AUTH=") < 0)
		return -1;
	for (; *user; user++) /* xtext, RFC 3461 4 */
		if (*user > ' ' && *user <= '~' && *user != '+' && *user != '=' ? buf_add(out, user, 1) < 0
		                                                                : buf_printf(out, "+%02X", (unsigned char)*user) < 0)
			return -1;
	return 0;
}

/*
 * Queue MAIL with the envelope's parameters. BODY is what the text needs, SIZE the size of the text. Returns 0, or -1
 * with errno set (ENOMEM).
 */
static int
say_mail(struct client *s, const struct delivery *d, const struct textscan *t)
{
	const struct envelope_line *mail = &d->envelope.mail;
	const char *p = mail->params, *end = p + strlen(p), *key, *value;
	struct buf *out = &s->wire.conn.out;
	size_t keylen, valuelen;
	const bool ours = s->conf->auth_param != CLIENT_AUTH_NONE;

	if (buf_printf(out, "MAIL FROM:<%.*s>", (int)mail->path_len, mail->path) < 0)
		return -1;
	if (is_binary(mail)) {
		if (buf_puts(out, " BODY=BINARYMIME") < 0)
			return -1;
	} else if (s->offer.caps & CAP_8BITMIME) {
		if (t->is_8bit ? buf_puts(out, " BODY=8BITMIME") < 0
		               : envelope_param(mail, "BODY", &value, &valuelen) &&
		                buf_printf(out, " BODY=%.*s", (int)valuelen, value) < 0)
			return -1;
	}
	while (param_next(&p, end, &key, &keylen, &value, &valuelen) > 0) {
		enum param k = param_find(key, keylen, PARAM_OF_MAIL);

		if (k == PARAM_BODY || k == PARAM_SIZE || (k == PARAM_AUTH && (ours || !(s->offer.caps & CAP_AUTH))))
			continue;
		if (buf_printf(out, value ? " %.*s=%.*s" : " %.*s", (int)keylen, key, (int)valuelen, value ? value : "") < 0)
			return -1;
	}
	if (ours && s->offer.caps & CAP_AUTH && add_submitter(out, s->conf, &d->call->facts) < 0)
		return -1;
	if (s->offer.caps & CAP_SIZE && (!s->conf->check || d->size > 0) &&
	    buf_printf(out, " SIZE=%lld", (long long)d->size) < 0)
		return -1;
	return buf_puts(out, "\r\n");
}

/*
 * The server lacks something, for which r would refuse d. If it may offer that by now, end the session: another one
 * decides. Returns true if so.
 */
static bool
ask_again(struct client *s, bool kept, enum reply r)
{
	if (!kept || !s->conf->learns || r == REPLY_LOCAL_ERROR)
		return false;
	client_quit(s);
	s->wire.state = WIRE_GONE;
	return true;
}

/* The reply for what the server lacks: r, with text, or 451 if clients still count on what it offered before. */
static enum reply
lacking(const struct client *s, enum reply r, char *text)
{
	if (!s->offer_is_new || r == REPLY_LOCAL_ERROR || r == REPLY_TOO_BIG)
		return r;
	*text = '\0';
	return REPLY_OFFERS_CHANGED;
}

/*
 * Refuse the recipients that the server cannot serve, before anything is sent. *t describes the text afterwards.
 * Returns true if nothing is left to be sent.
 */
static bool
refuse_unable(struct client *s, struct delivery *d, struct textscan *t, bool kept)
{
	const struct envelope_line *mail = &d->envelope.mail;
	char text[DELIVERY_TEXT_MAX];
	enum reply r = delivery_check(mail, s->offer.caps, text);
	size_t i;

	*t = (struct textscan){ 0 };
	if (r == REPLY_OK && s->offer.caps & CAP_SIZE && s->offer.size > 0 && d->size > s->offer.size)
		r = REPLY_TOO_BIG; /* RFC 1870 6.1 */
	if (r == REPLY_OK && !(s->conf->check && d->size == 0) && !is_binary(mail)) {
		if (textscan_look(t, &s->text, d->message, d->size) < 0) {
			log_error(s->wire.log, "failed", "message:");
			r = REPLY_LOCAL_ERROR;
		} else if (t->is_bare) { /* RFC 5321 2.3.8; an earlier stage is broken */
			log_error(s->wire.log, "misuse", "bare CR or bare LF in the message");
			r = REPLY_LOCAL_ERROR;
		} else if (t->is_8bit && !(s->offer.caps & CAP_8BITMIME)) /* RFC 6152 3 */
			r = REPLY_NO_8BIT;
	}
	if (r != REPLY_OK && ask_again(s, kept, r))
		return true;
	if (r != REPLY_OK) {
		r = lacking(s, r, text);
		delivery_reply_all(d, r, *text ? text : NULL);
		return true;
	}
	for (i = 0; i < d->lines; i++) {
		if (!delivery_is_pending(d, i))
			continue;
		r = delivery_check(&d->envelope.rcpt[i], s->offer.caps, text);
		if (r == REPLY_OK)
			continue;
		if (ask_again(s, kept, r))
			return true;
		r = lacking(s, r, text);
		delivery_reply(d, i, r, *text ? text : NULL);
	}
	return delivery_is_over(d);
}

/* Returns the first pending line from i on, or d->lines if there is none. */
static size_t
next_pending(const struct delivery *d, size_t i)
{
	while (i < d->lines && !delivery_is_pending(d, i))
		i++;
	return i;
}

/*
 * The commands of an envelope and their replies. A line whose recipient was accepted stays pending. Replies arrive in
 * command order, so `heard` never overtakes `said`, and next_pending gives both cursors the same lines.
 */
struct turns {
	size_t window;  /* commands that may wait for their replies at once */
	size_t waiting; /* commands sent or queued whose replies have not come */
	size_t said;    /* the next line to name in an RCPT */
	size_t heard;   /* the line that the next reply to an RCPT is for */
	enum { MAIL_SAID, MAIL_ACCEPTED, MAIL_REFUSED } mail;
	bool stop;      /* name no more recipients: nothing will be sent */
	bool ahead;     /* DATA follows the RCPT in the same write; its reply is read elsewhere */
};

/* Queue RCPTs as far as the window allows. Returns 0, or -1 with errno set (ENOMEM). */
static int
say_some_rcpts(struct client *s, const struct delivery *d, struct turns *t)
{
	while (!t->stop && t->waiting < t->window && t->said < d->lines) {
		const struct envelope_line *l = &d->envelope.rcpt[t->said];

		if (buf_printf(&s->wire.conn.out, "RCPT TO:<%.*s>%s%s\r\n%s", (int)l->path_len, l->path, *l->params ? " " : "",
		        l->params, t->ahead ? "DATA\r\n" : "") < 0)
			return -1;
		t->said = next_pending(d, t->said + 1);
		t->waiting++;
	}
	return 0;
}

static void
take_mail_reply(struct client *s, struct delivery *d, struct turns *t, const struct reply_foreign *r)
{
	s->wire.replaceable = false;
	if (r->code < 300) {
		t->mail = MAIL_ACCEPTED;
		s->wire.state = WIRE_IN_MAIL;
	} else {
		t->mail = MAIL_REFUSED; /* the replies to the RCPTs that follow mean only that there is no transaction */
		t->stop = true;
		delivery_answer_all(d, r);
	}
}

static void
take_rcpt_reply(const struct client *s, struct delivery *d, struct turns *t, struct reply_foreign *r)
{
	const size_t i = t->heard;

	t->heard = next_pending(d, i + 1);
	if (r->code >= 300 && !d->partial && i < d->envelope.nrcpt)
		t->stop = true;
	if (r->code >= 300 || s->conf->check)
		delivery_answer(d, i, r);
}

/* Read replies until at most half a window of commands waits. Stops early if the session ends: *r is the reply then. */
static void
hear_some(struct client *s, struct delivery *d, struct turns *t, struct reply_foreign *r)
{
	do {
		if (wire_hear(&s->wire, t->mail == MAIL_SAID ? "MAIL" : "RCPT", r) < 0)
			return;
		t->waiting--;
		if (t->mail == MAIL_SAID)
			take_mail_reply(s, d, t, r);
		else if (t->mail == MAIL_ACCEPTED)
			take_rcpt_reply(s, d, t, r);
	} while (t->waiting > t->window / 2);
}

/*
 * Send MAIL and all RCPTs and read the replies. With PIPELINING a whole window is sent at first, then half a window at
 * a time, so that replies are read before they fill the server's socket. ahead: DATA is sent with the only RCPT.
 */
static void
say_envelope(struct client *s, struct delivery *d, const struct textscan *text, bool ahead)
{
	struct turns t = {
		.window = s->offer.caps & CAP_PIPELINING ? WINDOW : 1,
		.waiting = 1, /* MAIL */
		.said = next_pending(d, 0),
		.heard = next_pending(d, 0),
		.ahead = ahead,
	};
	struct reply_foreign r = { 0 };
	int failed = say_mail(s, d, text);

	while (wire_is_open(&s->wire) && (t.waiting > 0 || (!t.stop && t.said < d->lines))) {
		if (failed < 0 || say_some_rcpts(s, d, &t) < 0) {
			wire_fail_memory(&s->wire, "RCPT", &r);
			break;
		}
		hear_some(s, d, &t, &r);
	}
	if (s->wire.state == WIRE_CLOSED)
		delivery_answer_all(d, &r);
	reply_foreign_free(&r);
}

/* Write conn.out, a part of the text. Returns 0, or -1: the message did not get through, and *r is the reply. */
static int
say_block(struct client *s, struct reply_foreign *r)
{
	struct wire *w = &s->wire;

	if (lineio_flush(&w->conn, INT_MAX) == 0)
		return 0;
	if (errno == ETIMEDOUT)
		wire_fail(w, "text", REPLY_LATE, "text not taken until the deadline", NULL, r);
	else if (wire_hear(w, "text", r) == 0) { /* the server has closed, but may have sent the reason before */
		if (r->code < 300)
			wire_fail_line(w, "text", LINE_EOF, r);
		wire_close(w, 0);
	}
	return -1;
}

/*
 * Send the file from *off on without copying it through this process, as long as more than n octets are left, the
 * system supports that and more than a slice is left until the deadline. As say_block.
 */
static int
say_file(struct client *s, const struct delivery *d, off_t *off, off_t n, struct reply_foreign *r)
{
	while (d->size - *off > n && clock_left(d->deadline_ms) > WIRE_SLICE_MS) {
		off_t left = d->size - *off - n;
		ssize_t put;

		if (s->wire.conn.out.len > 0 && say_block(s, r) < 0)
			return -1;
		put = os_copy_some(s->wire.fd, d->message, off, left < STEP ? (size_t)left : STEP);
		if (put < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
			continue;
		if (put <= 0) /* the next ordinary write finds out why */
			break;
	}
	return 0;
}

/*
 * Send the message except for its last block, which stays in conn.out. dots: double leading dots, as DATA needs and
 * BDAT does not. As say_block.
 */
static int
say_text(struct client *s, const struct delivery *d, const struct textscan *t, bool dots, struct reply_foreign *r)
{
	struct buf *out = &s->wire.conn.out;
	char block[TEXTSCAN_BLOCK], before = '\n';
	off_t off = 0;

	dots &= t->is_dotted;
	if (!dots && say_file(s, d, &off, TEXTSCAN_BLOCK, r) < 0)
		return -1;
	while (off < d->size) {
		size_t n = d->size - off < TEXTSCAN_BLOCK ? (size_t)(d->size - off) : TEXTSCAN_BLOCK;
		const char *p = t->is_here ? s->text.p + 1 : block;

		if (out->len >= TEXTSCAN_BLOCK && say_block(s, r) < 0)
			return -1;
		if (!t->is_here && file_read(d->message, block, n, off) < 0) {
			wire_fail(&s->wire, "text", REPLY_LOCAL_ERROR, strerror(errno), NULL, r);
			return -1;
		}
		if (dots ? textscan_stuff(out, p, n, &before) < 0 : buf_add(out, p, n) < 0) {
			wire_fail_memory(&s->wire, "text", r);
			return -1;
		}
		off += (off_t)n;
	}
	return 0;
}

/*
 * The last check before the end of the text is sent, which is the point of no return. The server owes no reply now, so
 * anything that it has sent can only mean that it does not want the rest. Returns 0, or -1: *r is the reply, and the
 * session is closed, because that is the only way to take back a message that was begun.
 */
static int
check_before_end(struct client *s, const struct delivery *d, struct reply_foreign *r)
{
	struct wire *w = &s->wire;

	if (wire_has_input(w)) {
		if (wire_hear(w, "text", r) == 0) {
			if (r->code < 300)
				wire_fail_garbage(w, "text", "accepted a message that was not complete", r);
			wire_close(w, 0);
		}
		return -1;
	}
	if (!delivery_is_wanted(d)) {
		wire_close(w, 0);
		reply_set(r, REPLY_LATE, NULL);
		return -1;
	}
	return 0;
}

/*
 * Returns true if DATA may be sent before the replies to the envelope are read (RFC 2920 3.1), which saves a round
 * trip. Only for a single recipient: if the server refuses it, it refuses DATA too (RFC 2033 4.2, RFC 5321 3.3). With
 * several, their replies decide whether DATA is sent at all.
 */
static bool
may_say_data_ahead(const struct client *s, const struct delivery *d)
{
	const uint32_t need = CAP_PIPELINING, not = CAP_CHUNKING;

	return (s->offer.caps & (need | not)) == need && !s->conf->check &&
	    next_pending(d, next_pending(d, 0) + 1) == d->lines;
}

/*
 * DATA was sent ahead, but the recipient was refused. If the server nevertheless waits for a text, or reports success,
 * only closing helps.
 */
static void
take_back_data(struct client *s)
{
	struct reply_foreign r = { 0 };

	if (wire_hear_any(&s->wire, "DATA", &r) == 0 && r.code < 400)
		wire_close(&s->wire, 0);
	reply_foreign_free(&r);
}

/* Send DATA, unless it was sent ahead, and read 354. Returns 0, or -1: *r is the reply. */
static int
say_data(struct client *s, bool ahead, struct reply_foreign *r)
{
	struct wire *w = &s->wire;

	if (!ahead && buf_puts(&w->conn.out, "DATA\r\n") < 0) {
		wire_fail_memory(w, "DATA", r);
		return -1;
	}
	if (wire_hear_any(w, "DATA", r) < 0)
		return -1;
	if (r->code == 354) {
		reply_foreign_free(r);
		return 0;
	}
	if (r->code < 400)
		wire_fail_garbage(w, "DATA", "neither 354 nor a refusal", r);
	else if (r->code == 421)
		wire_close(w, 0);
	return -1;
}

/*
 * Read the replies after the text. LMTP sends one for each pending line, in order (RFC 2033 4.2); SMTP sends one for
 * all.
 */
static void
hear_verdicts(struct client *s, struct delivery *d, bool chunk, struct reply_foreign *r)
{
	bool first = true;
	size_t i;

	for (i = next_pending(d, 0); i < d->lines; i = next_pending(d, i + 1)) {
		if (wire_hear(&s->wire, "end of text", r) < 0) {
			delivery_answer_all(d, r);
			return;
		}
		if (!s->conf->lmtp) {
			delivery_answer_all(d, r);
			break;
		}
		if (chunk && first && r->code / 10 == 50) { /* a reply to BDAT itself: none for each recipient follows */
			wire_close(&s->wire, 0);
			delivery_answer_all(d, r);
			return;
		}
		first = false;
		delivery_answer(d, i, r);
	}
	s->wire.state = WIRE_KEPT;
}

/* Send the text to the accepted recipients, and answer every pending line. */
static void
say_message(struct client *s, struct delivery *d, const struct textscan *t, bool ahead)
{
	const bool chunk = s->offer.caps & CAP_CHUNKING; /* BDAT saves DATA's round trip and the dots (RFC 3030 2) */
	const char *end = t->no_end ? "\r\n" : "";
	struct wire *w = &s->wire;
	struct reply_foreign r = { 0 };
	/* a chunk that leaves with all of its text is checked by check_before_end */
	bool failed = !ahead && (!chunk || d->size > TEXTSCAN_BLOCK) && wire_is_out_of_step(w, "DATA", &r);

	if (!failed && chunk) {
		failed = buf_printf(&w->conn.out, "BDAT %lld LAST\r\n", (long long)d->size + (long long)strlen(end)) < 0;
		if (failed)
			wire_fail_memory(w, "BDAT", &r);
	} else if (!failed)
		failed = say_data(s, ahead, &r) < 0;
	if (!failed)
		failed = say_text(s, d, t, !chunk, &r) < 0;
	if (!failed && buf_printf(&w->conn.out, "%s%s", end, chunk ? "" : ".\r\n") < 0) {
		failed = true;
		wire_fail_memory(w, "text", &r);
	}
	if (failed || check_before_end(s, d, &r) < 0 || say_block(s, &r) < 0)
		delivery_answer_all(d, &r);
	else
		hear_verdicts(s, d, chunk, &r);
	reply_foreign_free(&r);
}

/* Send RSET if a mail transaction is open, and read its reply. A failure closes the session. */
static void
reset(struct client *s)
{
	struct wire *w = &s->wire;
	struct reply_foreign r = { 0 };

	if (w->state != WIRE_IN_MAIL)
		return;
	w->state = WIRE_KEPT;
	if (buf_puts(&w->conn.out, "RSET\r\n") < 0 || (wire_hear(w, "RSET", &r) == 0 && r.code >= 300))
		wire_close(w, 0);
	reply_foreign_free(&r);
}

/* Check a kept session before it is used. Whatever the server has sent meanwhile, it is not about this message. */
static void
wake(struct client *s)
{
	struct wire *w = &s->wire;

	if (wire_has_input(w))
		wire_close(w, 0);
	else
		reset(s);
	if (!wire_is_open(w))
		w->state = WIRE_GONE;
}

/* Keep buffers of usual size for the next message, and nothing that is in them. */
static void
tidy(struct client *s)
{
	struct wire *w = &s->wire;

	w->log = NULL;
	buf_clear(&w->line);
	if (!wire_is_open(w) || s->text.cap > BUFFER_KEPT)
		buf_free(&s->text);
	buf_clear(&s->text);
	if (wire_is_open(w) && w->conn.out.cap > BUFFER_KEPT)
		buf_free(&w->conn.out);
}

enum client_result
client_deliver(struct client *s, struct delivery *d, bool another)
{
	struct wire *w = &s->wire;
	const bool kept = w->state != WIRE_FRESH;
	struct reply_foreign r = { 0 };
	struct textscan t;
	bool ahead;

	w->log = &d->call->log;
	w->conn.deadline_ms = d->deadline_ms;
	w->replaceable = kept || another;
	if (refuse_unable(s, d, &t, kept))
		goto end;
	if (kept)
		wake(s);
	else if (wire_is_out_of_step(w, "MAIL", &r) && w->state == WIRE_CLOSED)
		delivery_answer_all(d, &r);
	if (!wire_is_open(w))
		goto end;
	ahead = may_say_data_ahead(s, d);
	say_envelope(s, d, &t, ahead);
	if (wire_is_open(w) && s->conf->check)
		reset(s);
	if (!s->conf->check && w->state != WIRE_GONE && !delivery_is_over(d))
		say_message(s, d, &t, ahead);
	else if (wire_is_open(w) && ahead)
		take_back_data(s);
end:
	reply_foreign_free(&r);
	if (w->state == WIRE_FRESH)
		w->state = WIRE_KEPT;
	tidy(s);
	return w->state == WIRE_GONE ? CLIENT_GONE : CLIENT_ANSWERED;
}
