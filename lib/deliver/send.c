/* ISC licence, see LICENSE. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "deliver/client.h"
#include "mail/textscan.h"
#include "smtp/addr.h"

enum {
	STEP = 131072, /* octets given to the socket between two looks at the clock */
	BUFFER_KEPT = 2 * TEXTSCAN_BLOCK, /* octets that a kept session's buffers may hold on to */
};

static bool
is_binary(const struct envelope_line *mail)
{
	const char *value;
	size_t len;

	return envelope_param(mail, PARAM_BODY, &value, &len) && len == 10; /* the only value of that length */
}

/* The value of AUTH= (RFC 4954 5): the mailbox of who submitted where we vouch for it, else <>. 0, or -1: ENOMEM. */
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

/* The MAIL command: the envelope's parameters, less BODY, which is what the text needs, and SIZE. 0, or -1: ENOMEM. */
static int
say_mail(struct client *s, const struct delivery *d, const struct textscan *t)
{
	const struct envelope_line *mail = &d->envelope.mail;
	const char *p = mail->params, *end = p + strlen(p), *key, *value;
	struct buf *out = &s->conn.out;
	size_t keylen, valuelen;
	const bool ours = s->conf->auth_param != CLIENT_AUTH_NONE;

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

		if (k == PARAM_BODY || k == PARAM_SIZE || (k == PARAM_AUTH && (ours || !(s->offer.caps & CAP_AUTH))))
			continue;
		if (buf_printf(out, value ? " %.*s=%.*s" : " %.*s", (int)keylen, key, (int)valuelen, value ? value : "") < 0)
			return -1;
	}
	if (ours && s->offer.caps & CAP_AUTH && add_submitter(out, s->conf, &d->call->facts) < 0)
		return -1;
	if (s->offer.caps & CAP_SIZE && !s->conf->check && buf_printf(out, " SIZE=%lld", (long long)d->size) < 0)
		return -1;
	return buf_puts(out, "\r\n");
}

/* What the server cannot do is refused before anything is said. true: nothing is left to be sent. */
static bool
refuse_unable(struct client *s, struct delivery *d, struct textscan *t)
{
	const struct envelope_line *mail = &d->envelope.mail;
	char text[DELIVERY_TEXT_MAX];
	enum reply r = delivery_check(mail, s->offer.caps, text);
	size_t i;

	*t = (struct textscan){ 0 };
	if (r == REPLY_OK && s->offer.caps & CAP_SIZE && s->offer.size > 0 && d->size > s->offer.size)
		r = REPLY_TOO_BIG; /* RFC 1870 6.1 */
	if (r == REPLY_OK && !s->conf->check && !is_binary(mail)) {
		if (textscan_look(t, &s->text, d->message, d->size) < 0) {
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
 * at a time, so that replies are read before they could fill the server's way to us. ahead: DATA is in the group too,
 * its reply is still to be heard. A line that is accepted stays pending; both cursors only go forward, and hearing is
 * behind saying, so "pending" tells either of them the same lines.
 */
static void
say_envelope(struct client *s, struct delivery *d, const struct textscan *t, bool ahead)
{
	const size_t window = s->offer.caps & CAP_PIPELINING ? CLIENT_WINDOW : 1;
	struct reply_foreign r = { 0 };
	size_t said = next_pending(d, 0), heard = said, i;
	size_t open = 1;                   /* commands whose reply has not come; the first of all is MAIL */
	bool mail = true;                  /* its reply is the next */
	bool more = true, refused = false; /* name more recipients; there is no transaction: their replies are not theirs */
	int failed = say_mail(s, d, t);

	while (s->open && (open > 0 || (more && said < d->lines))) {
		for (; !failed && more && open < window && said < d->lines; said = next_pending(d, said + 1), open++)
			failed = buf_printf(&s->conn.out, "RCPT TO:%s\r\n%s", d->envelope.rcpt[said].text + strlen("RCPT TO:"),
			    ahead ? "DATA\r\n" : "");
		if (failed) {
			client_fail_memory(s, "RCPT", &r);
			break;
		}
		do {
			if (client_hear(s, mail ? "MAIL" : "RCPT", &r) < 0)
				break;
			open--;
			if (mail) {
				mail = s->spare = false;
				refused = r.code >= 300;
				s->begun = !refused;
				more = !refused;
				if (refused)
					delivery_answer_all(d, &r);
			} else if (!refused) {
				i = heard;
				heard = next_pending(d, heard + 1);
				if (r.code >= 300 || s->conf->check) {
					more = more && (r.code < 300 || d->partial || i >= d->envelope.nrcpt); /* else nothing will be sent */
					delivery_answer(d, i, &r);
				}
			}
		} while (open > window / 2);
	}
	if (!s->open && !s->stale)
		delivery_answer_all(d, &r);
	reply_foreign_free(&r);
}

/* Write what is in conn.out, a part of the text. 0; or -1: the message did not get through, *r is the answer. */
static int
say_block(struct client *s, struct reply_foreign *r)
{
	if (lineio_flush(&s->conn, INT_MAX) == 0)
		return 0;
	if (errno == ETIMEDOUT)
		client_fail(s, "text", REPLY_LATE, "text not taken until the deadline", NULL, r);
	else if (client_hear(s, "text", r) == 0) { /* it has closed, and may have said why before that */
		if (r->code < 300)
			client_fail_line(s, "text", LINE_EOF, r);
		client_hang_up(s);
	}
	return -1;
}

/*
 * From *off on, without passing through this process, as long as more than n octets are left, the system can and there
 * is time to look at the clock. Result as say_block.
 */
static int
say_file(struct client *s, const struct delivery *d, off_t *off, off_t n, struct reply_foreign *r)
{
	while (d->size - *off > n && clock_left(d->deadline_ms) > CLIENT_SLICE_MS) {
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
say_text(struct client *s, const struct delivery *d, const struct textscan *t, bool dots, struct reply_foreign *r)
{
	char block[TEXTSCAN_BLOCK], before = '\n';
	off_t off = 0;

	dots &= t->is_dotted;
	if (!dots && say_file(s, d, &off, TEXTSCAN_BLOCK, r) < 0)
		return -1;
	while (off < d->size) {
		size_t n = d->size - off < TEXTSCAN_BLOCK ? (size_t)(d->size - off) : TEXTSCAN_BLOCK;
		const char *p = t->is_here ? s->text.p + 1 : block;

		if (s->conn.out.len >= TEXTSCAN_BLOCK && say_block(s, r) < 0)
			return -1;
		if (!t->is_here && file_read(d->message, block, n, off) < 0) {
			client_fail(s, "text", REPLY_LOCAL_ERROR, strerror(errno), NULL, r);
			return -1;
		}
		if (dots ? textscan_stuff(&s->conn.out, p, n, &before) < 0 : buf_add(&s->conn.out, p, n) < 0) {
			client_fail_memory(s, "text", r);
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
check_before_end(struct client *s, const struct delivery *d, struct reply_foreign *r)
{
	if (client_has_input(s)) {
		if (client_hear(s, "text", r) == 0) {
			if (r->code < 300)
				client_fail_garbage(s, "text", "yes to a message that was not complete", r);
			client_hang_up(s);
		}
		return -1;
	}
	if (!delivery_is_wanted(d)) {
		client_hang_up(s);
		reply_set(r, REPLY_LATE, NULL);
		return -1;
	}
	return 0;
}

/*
 * May DATA be said before the replies to the envelope are heard (RFC 2920 3.1)? With one recipient it is refused where
 * he is (RFC 2033 4.2, RFC 5321 3.3), and a turn is saved; with several, who was accepted decides whether there is any.
 */
static bool
may_say_data_ahead(const struct client *s, const struct delivery *d)
{
	const uint32_t need = CAP_PIPELINING, not = CAP_CHUNKING;

	return (s->offer.caps & (need | not)) == need && !s->conf->check &&
	    next_pending(d, next_pending(d, 0) + 1) == d->lines;
}

/* It was said ahead, and in vain. Where the server waits for a text all the same, there is no way back. */
static void
take_back_data(struct client *s)
{
	struct reply_foreign r = { 0 };

	if (client_hear_any(s, "DATA", &r) == 0 && r.code < 400)
		client_hang_up(s);
	reply_foreign_free(&r);
}

/* DATA, if it was not said ahead, and the reply that lets us go on. -1: *r is the answer. */
static int
say_data(struct client *s, bool ahead, struct reply_foreign *r)
{
	if (!ahead && buf_puts(&s->conn.out, "DATA\r\n") < 0) {
		client_fail_memory(s, "DATA", r);
		return -1;
	}
	if (client_hear_any(s, "DATA", r) < 0)
		return -1;
	if (r->code == 354) {
		reply_foreign_free(r);
		return 0;
	}
	if (r->code < 400)
		client_fail_garbage(s, "DATA", "neither 354 nor a refusal", r);
	else if (r->code == 421)
		client_hang_up(s);
	return -1;
}

/* The replies after the text: LMTP has one for each line that is pending, in order (RFC 2033 4.2), SMTP one for all. */
static void
hear_verdicts(struct client *s, struct delivery *d, bool chunk, struct reply_foreign *r)
{
	bool first = true;
	size_t i;

	for (i = next_pending(d, 0); i < d->lines; i = next_pending(d, i + 1)) {
		if (client_hear(s, "end of text", r) < 0) {
			delivery_answer_all(d, r);
			return;
		}
		if (!s->conf->lmtp) {
			delivery_answer_all(d, r);
			break;
		}
		if (chunk && first && r->code / 10 == 50) { /* of BDAT itself, not of a recipient: no other will come */
			client_hang_up(s);
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
say_message(struct client *s, struct delivery *d, const struct textscan *t, bool ahead)
{
	const bool chunk = s->offer.caps & CAP_CHUNKING; /* no turn more, as for DATA, and no dots (RFC 3030 2) */
	const char *end = t->no_end ? "\r\n" : "";
	struct reply_foreign r = { 0 };
	/* a chunk that goes out with all of its text is looked after by check_before_end */
	bool failed = !ahead && (!chunk || d->size > TEXTSCAN_BLOCK) && client_is_out_of_step(s, "DATA", &r);

	if (!failed && chunk) {
		failed = buf_printf(&s->conn.out, "BDAT %lld LAST\r\n", (long long)d->size + (long long)strlen(end)) < 0;
		if (failed)
			client_fail_memory(s, "BDAT", &r);
	} else if (!failed)
		failed = say_data(s, ahead, &r) < 0;
	if (!failed)
		failed = say_text(s, d, t, !chunk, &r) < 0;
	if (!failed && buf_printf(&s->conn.out, "%s%s", end, chunk ? "" : ".\r\n") < 0) {
		failed = true;
		client_fail_memory(s, "text", &r);
	}
	if (failed || check_before_end(s, d, &r) < 0 || say_block(s, &r) < 0)
		delivery_answer_all(d, &r);
	else
		hear_verdicts(s, d, chunk, &r);
	reply_foreign_free(&r);
}

/* No transaction is open any more. 0, or -1: the session is closed. */
static int
say_reset(struct client *s)
{
	struct reply_foreign r = { 0 };

	if (s->begun) {
		if (buf_puts(&s->conn.out, "RSET\r\n") < 0 || (client_hear(s, "RSET", &r) == 0 && r.code >= 300))
			client_hang_up(s);
		s->begun = false;
	}
	reply_foreign_free(&r);
	return s->open ? 0 : -1;
}

/* A kept session: is it still one? Whatever it has said meanwhile, it is not about this message. */
static void
wake(struct client *s)
{
	if (client_has_input(s))
		client_hang_up(s);
	s->stale = !s->open || say_reset(s) < 0;
}

int
client_deliver(struct client *s, struct delivery *d, bool another)
{
	struct reply_foreign r = { 0 };
	struct textscan t;

	s->log = &d->call->log;
	s->conn.deadline_ms = d->deadline_ms;
	s->stale = false;
	s->spare = s->kept || another;
	if (!refuse_unable(s, d, &t)) {
		if (s->kept)
			wake(s);
		if (s->open && !s->kept && client_is_out_of_step(s, "MAIL", &r))
			delivery_answer_all(d, &r);
		else if (s->open) {
			const bool ahead = may_say_data_ahead(s, d);

			say_envelope(s, d, &t, ahead);
			if (s->open && s->conf->check)
				say_reset(s);
			if (!s->conf->check && !s->stale && !delivery_is_over(d))
				say_message(s, d, &t, ahead);
			else if (s->open && ahead)
				take_back_data(s);
		}
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
