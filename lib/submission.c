/* ISC licence, see LICENSE. */
#include "submission.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "conn.h"
#include "data.h"
#include "ehlo.h"
#include "id.h"
#include "param.h"
#include "transaction.h"
#include "verb.h"

/*
 * Design: a verb's handler does its work and returns the reply, which the loop says (SAID: it has said it itself).
 * Which verbs are legal when is in one table. Everything that arrives in one packet is answered in one write:
 * conn flushes only when it must wait.
 */
enum state {
	START = 1 << 0,
	READY = 1 << 1,
	MAIL = 1 << 2,
	RCPT = 1 << 3,
	CHUNKS = 1 << 4,
	FAILED = 1 << 5, /* the client has heard that a chunk failed; what it had sent behind it may still come */
	ANY = (1 << 6) - 1,
};

enum { CHECK_S = 30 }; /* for the check at RCPT; a client waits 5 minutes (RFC 5321 4.5.3.2.3), and may have many */

#define SAID REPLY_COUNT /* no reply is missing: the handler has said it */

struct submission {
	struct call *call;
	const struct submission_conf *conf;
	struct ehlo offered; /* what EHLO lists */
	bool lmtp;
	bool esmtp;          /* greeted by EHLO or LHLO: parameters are known */
	bool auth;           /* a stage in front of us was there to offer AUTH, so MAIL may have AUTH= */
	enum state state;
	struct transaction mail;
	struct message text; /* the message as far as it is in */
	struct data data;
	enum reply spoilt;   /* why the message will be refused at its end; REPLY_OK: it is good so far */
	bool over;           /* close after this reply */
	int errors;
	struct conn conn;    /* last: its buffer is not zeroed, or every idle session would hold all of it */
};

typedef enum reply handler(struct submission *s, char *arg, size_t len);

/* Say r. Without memory for it what was said before goes out first, and r takes its room. */
static int
say(struct submission *s, enum reply r)
{
	if (reply_add(&s->conn.out, r) == 0)
		return 0;
	return conn_flush(&s->conn, s->conf->command_wait_s * 1000) < 0 ? -1 : reply_add(&s->conn.out, r);
}

static void
forget(struct submission *s)
{
	transaction_reset(&s->mail);
	message_free(&s->text);
	s->data = (struct data){ 0 };
	s->spoilt = REPLY_OK;
	if (s->state != START)
		s->state = READY;
}

/* What parameters MAIL and RCPT may have. AUTH= is taken from whoever was offered AUTH, and ends here: RFC 4954 5. */
static struct ehlo
accepted(const struct submission *s)
{
	struct ehlo e = s->offered;

	if (!s->esmtp)
		e.caps = 0;
	else if (s->auth)
		e.caps |= CAP_AUTH;
	return e;
}

static enum reply
greet(struct submission *s, enum verb verb, const char *arg, size_t len)
{
	struct facts *f = &s->call->facts;
	char buf[256];
	const char *host = ehlo_host(f, buf, sizeof buf);
	int r;

	if (facts_set(f, "MSA_VERB", verb_name(verb)) < 0 || facts_set_text(f, "MSA_HELO", arg, len) < 0)
		return REPLY_NO_MEMORY;
	s->state = READY;
	forget(s);
	s->esmtp = verb != VERB_HELO;
	if (s->esmtp)
		r = ehlo_reply(&s->conn.out, &s->offered, host);
	else
		r = buf_printf(&s->conn.out, "250 %s\r\n", host);
	return r < 0 ? REPLY_NO_MEMORY : SAID;
}

static enum reply
do_ehlo(struct submission *s, char *arg, size_t len)
{
	return greet(s, VERB_EHLO, arg, len);
}

static enum reply
do_helo(struct submission *s, char *arg, size_t len)
{
	return greet(s, VERB_HELO, arg, len);
}

static enum reply
do_lhlo(struct submission *s, char *arg, size_t len)
{
	return greet(s, VERB_LHLO, arg, len);
}

/* r with the keyword that it is about, which comes from the peer and so may be anything. */
static enum reply
about(struct submission *s, enum reply r, const char *detail, size_t len)
{
	char clean[41];
	size_t i;

	if (!detail)
		return r;
	for (i = 0; i < len && i < sizeof clean - 1; i++)
		clean[i] = detail[i] > ' ' && detail[i] <= '~' ? detail[i] : '?';
	clean[i] = '\0';
	if (reply_addf(&s->conn.out, r, "%s: %s", reply_text(r), clean) < 0)
		return r;
	s->errors += reply_code(r) >= 500;
	return SAID;
}

static enum reply
do_mail(struct submission *s, char *arg, size_t len)
{
	struct facts *f = &s->call->facts;
	struct ehlo e = accepted(s);
	const char *detail;
	size_t detail_len;
	enum reply r;

	if (!facts_is_authenticated(f) && !facts_get(f, "RELAYCLIENT"))
		return REPLY_AUTH_FIRST; /* a chain without authd is closed: RFC 6409 4.3 */
	forget(s); /* what FAILED left */
	r = transaction_mail(&s->mail, &e, arg, len, &detail, &detail_len);
	if (r == REPLY_SENDER_OK) {
		s->state = MAIL;
		return r;
	}
	return about(s, r, detail, detail_len);
}

/* Why a message could not be stored. */
static enum reply
storage(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? REPLY_STORAGE : REPLY_LOCAL_ERROR;
}

/* The facts of a message for n recipients, due in so many seconds. 0, or -1 with errno ENOMEM. */
static int
state_facts(struct submission *s, const char *id, size_t n, int seconds)
{
	struct facts *f = &s->call->facts;
	char rcpts[24], deadline[24];

	snprintf(rcpts, sizeof rcpts, "%zu", n);
	snprintf(deadline, sizeof deadline, "%lld", (long long)time(NULL) + seconds);
	if (facts_set(f, "MSA_MESSAGE", id) < 0 || facts_set(f, "MSA_RCPTS", rcpts) < 0 ||
	    facts_set(f, "MSA_DEADLINE", deadline) < 0)
		return -1;
	s->call->log.message = facts_get(f, "MSA_MESSAGE");
	return 0;
}

/* And forget them: they end with the message. */
static void
drop_facts(struct submission *s)
{
	s->call->log.message = NULL;
	facts_claim(&s->call->facts, FACTS_SUBMITD);
}

/* Ask the check about the last recipient: a message of no octets to him alone, whose verdict answers his RCPT. */
static enum reply
check(struct submission *s)
{
	int seconds = s->conf->answer_s < CHECK_S ? s->conf->answer_s : CHECK_S;
	int64_t deadline_ms = clock_ms() + (int64_t)seconds * 1000;
	struct buf lines = { 0 };
	struct verdict v = { 0 };
	enum reply r = REPLY_NO_MEMORY;
	char id[ID_MAX];
	int message = -1, envelope = -1;

	conn_flush(&s->conn, s->conf->command_wait_s * 1000); /* a wait: what was said before goes out */
	id_make(id);
	if (transaction_last(&s->mail, &lines) < 0 || state_facts(s, id, 1, seconds) < 0)
		goto out;
	message = message_file("", 0);
	envelope = message_file(lines.p, lines.len);
	if (message < 0 || envelope < 0) {
		r = storage(errno);
		log_error(&s->call->log, "failed", "check:");
	} else if (stage_deliver(s->call, s->conf->check, message, envelope, 1, deadline_ms, &v) == 0) {
		r = v.reply[0].code < 300                             ? REPLY_RCPT_OK :
		    reply_add_foreign(&s->conn.out, &v.reply[0]) == 0 ? SAID :
		                                                        REPLY_NO_MEMORY;
		s->errors += r == SAID && v.reply[0].code >= 500;
	}
out:
	verdict_free(&v);
	buf_free(&lines);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	drop_facts(s);
	return r;
}

static enum reply
do_rcpt(struct submission *s, char *arg, size_t len)
{
	struct ehlo e = accepted(s);
	const char *detail;
	size_t detail_len;
	enum reply r = transaction_rcpt(&s->mail, &e, arg, len, &detail, &detail_len);

	if (r != REPLY_RCPT_OK)
		return about(s, r, detail, detail_len);
	if (s->conf->check)
		r = check(s);
	if (r != REPLY_RCPT_OK)
		transaction_drop(&s->mail);
	else
		s->state = RCPT;
	return r;
}

/*
 * The one log line of a message: the code that the client heard, and why (NULL: nothing to say). start_ms: when the
 * chain was started, 0: it was not. What a peer chose comes last, where it cannot push the rest over the end of the
 * line.
 */
static void
log_message(struct submission *s, const char *event, int code, const char *reason, off_t size, int64_t start_ms)
{
	const struct facts *f = &s->call->facts;
	char rcpts[24], octets[24], ms[24], digits[12];

	snprintf(rcpts, sizeof rcpts, "%zu", s->mail.nrcpt);
	snprintf(octets, sizeof octets, "%lld", (long long)size);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start_ms));
	snprintf(digits, sizeof digits, "%d", code);
	log_event(&s->call->log, event, "user", facts_get(f, "SMTPAUTHUSER"), "mech", facts_get(f, "SMTPAUTHMETHOD"), "ip",
	    facts_get(f, "TCPREMOTEIP"), "tls", facts_get(f, "SSL_PROTOCOL"), "cipher", facts_get(f, "SSL_CIPHER"),
	    "rcpts", rcpts, "size", start_ms ? octets : NULL, "code", digits, "ms", start_ms ? ms : NULL, "from",
	    s->mail.from.text, "reason", reason, (char *)NULL);
}

/* One reply for the message. */
static int
add_overall(struct buf *out, const struct reply_foreign *worst, const char *id)
{
	return worst ? reply_add_foreign(out, worst) : reply_addf(out, REPLY_OK, "Ok, message %s", id);
}

/* A reply for each recipient. */
static int
add_each(struct buf *out, const struct verdict *v, const char *id)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (add_overall(out, v->reply[i].code < 300 ? NULL : &v->reply[i], id) < 0)
			return -1;
	return 0;
}

/*
 * Each recipient its own reply (RFC 2033 4.2), with PRDR too and then one for the message: yes where somebody got it.
 * Else the one reply of chain(7). false: out of memory, nothing was said.
 */
static bool
answer(struct submission *s, const struct verdict *v, const char *id, off_t size, int64_t start_ms)
{
	bool mixed, prdr = s->mail.prdr && v->n > 1;
	const struct reply_foreign *worst = verdict_reduce(v, &mixed);
	struct buf *out = &s->conn.out;
	size_t was = out->len;
	int r;

	if (!worst)
		log_message(s, "accepted", 250, NULL, size, start_ms);
	else
		log_message(s, mixed ? "mixed" : "refused",
		    !mixed || s->lmtp ? worst->code : prdr ? 250 : reply_code(REPLY_MIXED), worst->text, size, start_ms);
	if (s->lmtp)
		r = add_each(out, v, id);
	else if (prdr)
		r = reply_add(out, REPLY_EACH) < 0 || add_each(out, v, id) < 0 ? -1 : add_overall(out, mixed ? NULL : worst, id);
	else
		r = mixed ? reply_add(out, REPLY_MIXED) : add_overall(out, worst, id);
	if (r < 0)
		out->len = was;
	return r == 0;
}

/* One reply for the message, or in LMTP one for each recipient. */
static enum reply
refuse(struct submission *s, enum reply r)
{
	size_t i;

	for (i = 1; s->lmtp && i < s->mail.nrcpt; i++)
		if (say(s, r) < 0)
			s->over = true;
	if (s->state != FAILED) /* there it was logged */
		log_message(s, "refused", reply_code(r), reply_text(r), 0, 0);
	return r;
}

/* The message is in: have it delivered, and answer. */
static enum reply
deliver(struct submission *s)
{
	int64_t start;
	struct verdict v = { 0 };
	off_t size = s->text.size;
	enum reply r = SAID;
	char id[ID_MAX];
	int message, envelope;

	if (s->data.bare && s->mail.body != BODY_BINARYMIME)
		s->spoilt = REPLY_BARE;
	if (s->spoilt != REPLY_OK)
		return refuse(s, s->spoilt);
	conn_flush(&s->conn, s->conf->command_wait_s * 1000); /* the chain is a wait too; and the answer has room */
	start = clock_ms();
	id_make(id);
	message = message_finish(&s->text);
	envelope = message < 0 ? -1 : transaction_envelope(&s->mail);
	if (envelope < 0) {
		r = storage(errno);
		log_error(&s->call->log, "failed", "message file:");
		refuse(s, r);
	} else if (state_facts(s, id, s->mail.nrcpt, s->conf->answer_s) < 0 ||
	    ((s->lmtp || s->mail.prdr) && facts_set(&s->call->facts, "MSA_PARTIAL", "") < 0) ||
	    stage_deliver(s->call, s->conf->next, message, envelope, s->mail.nrcpt,
	        start + (int64_t)s->conf->answer_s * 1000, &v) < 0 ||
	    !answer(s, &v, id, size, start))
		r = refuse(s, REPLY_NO_MEMORY);
	verdict_free(&v);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	drop_facts(s);
	return r;
}

/* What became of adding to the message. Of one that is lost the rest is dropped, and its room is given back. */
static void
took(struct submission *s, int result)
{
	if (s->spoilt != REPLY_OK)
		return;
	if (result < 0)
		s->spoilt = storage(errno);
	else if (s->offered.size > 0 && s->text.size > s->offered.size)
		s->spoilt = REPLY_TOO_BIG;
	if (s->spoilt != REPLY_OK)
		message_free(&s->text);
}

/* The log line of a transaction whose client is gone. */
static void
lost(struct submission *s, const char *where, const char *reason)
{
	if (s->state & (MAIL | RCPT | CHUNKS))
		log_event(&s->call->log, "lost", "where", where, "reason", reason, (char *)NULL);
}

/*
 * More of the data, within RFC 5321 4.5.3.2.5's wait and at CHAIN_DATA_RATE over the whole, so that a client that
 * sends an octet a minute cannot stay. done: octets so far; since: when the data began.
 */
static bool
more_data(struct submission *s, int64_t since, long long done)
{
	int64_t session = s->conn.deadline_ms;
	int64_t rate = since + (int64_t)CHAIN_DATA_WAIT_S * 1000 + done * 1000 / CHAIN_DATA_RATE;
	enum line_result r;

	if (rate < session)
		s->conn.deadline_ms = rate;
	s->conn.stop = -1; /* a message that is coming in is taken to its end */
	r = conn_fill(&s->conn, CHAIN_DATA_WAIT_S * 1000);
	s->conn.stop = s->call->stop;
	s->conn.deadline_ms = session;
	if (r == LINE_OK)
		return true;
	lost(s, "data", r == LINE_TIMEOUT ? "timeout" : "closed");
	if (r == LINE_TIMEOUT && say(s, REPLY_TIMEOUT) == 0)
		conn_flush(&s->conn, s->conf->command_wait_s * 1000);
	s->over = true;
	return false;
}

static enum reply
do_data(struct submission *s, char *arg, size_t len)
{
	int64_t since = clock_ms();
	long long done = 0;
	enum reply r;
	int end = 0;

	(void)arg;
	(void)len;
	if (s->state != RCPT)
		return s->state != MAIL || s->lmtp ? REPLY_ORDER : REPLY_NO_RCPTS; /* RFC 2033 4.2 wants 503 */
	if (s->mail.body == BODY_BINARYMIME)
		return REPLY_ORDER; /* RFC 3030 3: only BDAT */
	if (reply_add(&s->conn.out, REPLY_START_DATA) < 0)
		return REPLY_NO_MEMORY;
	while (end != 1) {
		size_t used;

		if (!more_data(s, since, done))
			return SAID;
		end = data_dots(&s->data, s->conn.in_buf + s->conn.pos, s->conn.len - s->conn.pos, &used,
		    s->spoilt == REPLY_OK ? &s->text : NULL);
		took(s, end);
		s->conn.pos += used;
		done += (long long)used;
	}
	r = deliver(s);
	forget(s);
	return r;
}

/* "n" or "n LAST". */
static int
chunk(const char *arg, size_t len, long long *size, bool *last)
{
	size_t i;

	*size = 0;
	for (i = 0; i < len && arg[i] >= '0' && arg[i] <= '9' && i < 18; i++)
		*size = *size * 10 + (arg[i] - '0');
	if (i == 0)
		return -1;
	*last = len - i == 5 && strncasecmp(arg + i, " LAST", 5) == 0;
	return *last || i == len ? 0 : -1;
}

/*
 * RFC 3030 2: a chunk that fails is the transaction's end, and chunks that are in the pipeline behind it are discarded.
 * They are answered like it, the last one once for each recipient in LMTP (RFC 2033 4.3), so that replies stay in step.
 */
static enum reply
do_bdat(struct submission *s, char *arg, size_t len)
{
	bool wanted = (s->state & (RCPT | CHUNKS | FAILED)) != 0, last;
	int64_t since = clock_ms();
	long long size, left;
	enum reply r;

	if (chunk(arg, len, &size, &last) < 0) {
		s->over = true; /* what follows cannot be told from commands; RFC 5321 3.8: nobody closes without a 421 */
		return say(s, REPLY_BAD_ARGUMENT) < 0 ? SAID : REPLY_CHUNK_LENGTH;
	}
	for (left = size; left > 0;) { /* the chunk is on its way, whatever we think of it */
		size_t n = s->conn.len - s->conn.pos;

		if (n == 0) {
			if (!more_data(s, since, size - left))
				return SAID;
			continue;
		}
		if ((long long)n > left)
			n = (size_t)left;
		if (wanted)
			took(s, data_octets(&s->data, s->conn.in_buf + s->conn.pos, n, s->mail.body != BODY_BINARYMIME,
			            false, s->spoilt == REPLY_OK ? &s->text : NULL));
		s->conn.pos += n;
		left -= (long long)n;
	}
	if (!wanted)
		return s->state == MAIL && !s->lmtp ? REPLY_NO_RCPTS : REPLY_ORDER;
	if (last) {
		data_octets(&s->data, "", 0, s->mail.body != BODY_BINARYMIME, true, NULL);
		r = deliver(s);
		forget(s);
		return r;
	}
	if (s->spoilt == REPLY_OK) {
		s->state = CHUNKS;
		return reply_addf(&s->conn.out, REPLY_OK, "%lld octets received", size) < 0 ? REPLY_NO_MEMORY : SAID;
	}
	if (s->state != FAILED)
		log_message(s, "refused", reply_code(s->spoilt), reply_text(s->spoilt), 0, 0);
	s->state = FAILED;
	return s->spoilt;
}

static enum reply
do_rset(struct submission *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	forget(s);
	return REPLY_OK;
}

static enum reply
do_noop(struct submission *s, char *arg, size_t len)
{
	(void)s;
	(void)arg;
	(void)len;
	return REPLY_OK;
}

static enum reply
do_quit(struct submission *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	s->over = true;
	return REPLY_BYE;
}

static enum reply
do_vrfy(struct submission *s, char *arg, size_t len)
{
	(void)s;
	(void)arg;
	(void)len;
	return REPLY_VRFY;
}

static enum reply
do_help(struct submission *s, char *arg, size_t len)
{
	(void)s;
	(void)arg;
	(void)len;
	return REPLY_HELP;
}

/* authd has done with AUTH (RFC 4954 4: no second one), or there is no authd. */
static enum reply
do_auth(struct submission *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	return facts_is_authenticated(&s->call->facts) ? REPLY_ORDER : REPLY_NOT_OFFERED;
}

/* RFC 3207 4.2: not within TLS. */
static enum reply
do_starttls(struct submission *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	return facts_is_tls(&s->call->facts) ? REPLY_ORDER : REPLY_NOT_OFFERED;
}

/* Verb, where it is legal (elsewhere 503), what it does. What is not here is not offered: 502. */
static const struct {
	unsigned states;
	handler *run;
} verbs[VERB_COUNT] = {
	[VERB_EHLO] = { ANY, do_ehlo },
	[VERB_HELO] = { ANY, do_helo },
	[VERB_LHLO] = { ANY, do_lhlo },
	[VERB_MAIL] = { READY | FAILED, do_mail },
	[VERB_RCPT] = { MAIL | RCPT, do_rcpt },
	[VERB_DATA] = { ANY, do_data },
	[VERB_BDAT] = { ANY, do_bdat }, /* looks itself: its octets must be read in any state */
	[VERB_RSET] = { ANY, do_rset },
	[VERB_NOOP] = { ANY, do_noop },
	[VERB_QUIT] = { ANY, do_quit },
	[VERB_VRFY] = { ANY, do_vrfy },
	[VERB_HELP] = { ANY, do_help },
	[VERB_AUTH] = { ANY, do_auth },
	[VERB_STARTTLS] = { ANY, do_starttls },
};

static enum reply
command(struct submission *s, char *line, size_t len)
{
	size_t arglen, was = len;
	char *arg;
	enum verb v = verb_parse(line, len, &arg, &arglen);
	size_t adds = v == VERB_MAIL ? param_adds(accepted(s).caps, PARAM_OF_MAIL) :
	    v == VERB_RCPT           ? param_adds(accepted(s).caps, PARAM_OF_RCPT) :
	                               0;

	if (was + 2 > LINE_COMMAND_MAX + adds)
		return REPLY_LINE_LONG;
	if (v == VERB_UNKNOWN || (s->lmtp ? v == VERB_EHLO || v == VERB_HELO : v == VERB_LHLO))
		return REPLY_UNKNOWN_VERB; /* RFC 2033 4.1: LHLO in place of HELO and EHLO, and nowhere else */
	if (!verbs[v].run)
		return REPLY_NOT_OFFERED;
	if (v != VERB_BDAT && verb_arg(v) == VERB_ARG_NONE && arglen > 0)
		return REPLY_SOME_ARGUMENT;
	if (v != VERB_BDAT && verb_arg(v) == VERB_ARG_REQUIRED && arglen == 0)
		return REPLY_NO_ARGUMENT;
	if (!(verbs[v].states & s->state))
		return REPLY_ORDER;
	return verbs[v].run(s, arg, arglen);
}

/* One line and its answer. false: the session is over. */
static bool
turn(struct submission *s)
{
	size_t len, max = LINE_COMMAND_MAX + param_adds(UINT32_MAX, PARAM_OF_MAIL | PARAM_OF_RCPT);
	char *line;
	enum reply r = SAID;

	switch (conn_line(&s->conn, max, s->conf->command_wait_s * 1000, &line, &len)) {
	case LINE_OK:
		r = command(s, line, len);
		break;
	case LINE_LONG:
		r = REPLY_LINE_LONG;
		break;
	case LINE_BAD:
		r = REPLY_LINE_BAD;
		break;
	case LINE_TIMEOUT:
		lost(s, "commands", "timeout");
		s->over = true;
		r = REPLY_TIMEOUT;
		break;
	case LINE_STOP:
		s->over = true;
		r = REPLY_SHUTDOWN;
		break;
	case LINE_EOF:
	case LINE_ERROR:
		lost(s, "commands", "closed");
		return false;
	}
	if (r != SAID && reply_code(r) >= 500)
		s->errors++;
	if (r != SAID && say(s, r) < 0)
		return false;
	if (!s->over && s->errors > s->conf->errors_max) {
		log_event(&s->call->log, "ended", "reason", "too many errors", (char *)NULL);
		s->over = true;
		say(s, REPLY_TOO_MANY_ERRORS);
	}
	return !s->over;
}

int
submission_serve(struct call *call, void *conf)
{
	struct submission s;
	const char *verb = facts_get(&call->facts, "MSA_VERB");
	const char *limit;
	char host[256];

	memset(&s, 0, offsetof(struct submission, conn));
	s.call = call;
	s.conf = conf;
	s.state = START;
	conn_open(&s.conn, call->in, call->out);
	s.conn.stop = call->stop;
	s.conn.deadline_ms = clock_ms() + (int64_t)s.conf->session_s * 1000;
	s.lmtp = facts_is_lmtp(&call->facts);
	ehlo_from_facts(&s.offered, &call->facts);
	limit = facts_get(&call->facts, "DATABYTES");
	s.auth = verb || facts_is_authenticated(&call->facts);
	if (limit && *limit && facts_number(&call->facts, "DATABYTES", -1) < 0) {
		/* a limit that cannot be read is not the same as none */
		log_event(&call->log, "misuse", "reason", "DATABYTES is not a number of octets", (char *)NULL);
		reply_add(&s.conn.out, REPLY_TROUBLE);
		s.over = true;
	} else if (verb) { /* authd has greeted and taken the EHLO */
		s.state = READY;
		s.esmtp = strcmp(verb, "HELO") != 0;
	} else if (buf_printf(&s.conn.out, "220 %s %s\r\n", ehlo_host(&call->facts, host, sizeof host),
	               s.lmtp ? "LMTP" : "ESMTP") < 0)
		s.over = true;
	while (!s.over && turn(&s))
		;
	conn_flush(&s.conn, s.conf->command_wait_s * 1000);
	forget(&s);
	conn_close(&s.conn);
	return CHAIN_DONE;
}
