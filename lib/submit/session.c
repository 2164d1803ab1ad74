/* ISC licence, see LICENSE. */
#include "submit/session.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "auth/lockout.h"
#include "base/clock.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "smtp/chunk.h"
#include "smtp/greet.h"
#include "smtp/param.h"
#include "smtp/patience.h"
#include "smtp/verb.h"
#include "stage/run.h"
#include "submit/rejectlog.h"
#include "submit/transaction.h"

/*
 * Each verb has a handler that does the work and returns the reply, which the loop sends; SAID means that the handler
 * has sent it. One table says in which states a verb is legal. Commands that arrive in one packet are answered in one
 * write, because lineio flushes only before a wait.
 */
enum state {
	START = 1 << 0,
	READY = 1 << 1,
	MAIL = 1 << 2,
	RCPT = 1 << 3,
	CHUNKS = 1 << 4,
	FAILED = 1 << 5, /* a chunk was refused; chunks that the client had already sent may still come */
	ANY = (1 << 6) - 1,
};

#define SAID TRANSACTION_SAID

struct session {
	struct call *call;
	const struct session_conf *conf;
	struct mailcmd_rules rules; /* rules.offered is what EHLO lists */
	bool esmtp;          /* greeted by EHLO or LHLO, so parameters are allowed */
	bool auth;           /* an earlier stage offered AUTH, so MAIL may have AUTH= */
	enum state state;
	struct transaction in;
	bool over;           /* close after this reply */
	struct patience patience;
	int said;            /* code of a refusal that a handler has sent itself; 0: none */
	int mails;           /* MAIL commands so far */
	struct rejectlog refusals;
	const char *detail;  /* the keyword that the reply is about, in the command's line; NULL: none */
	size_t detail_len;
	struct lineio conn;  /* last: its buffer is not zeroed, or each idle session would occupy all of it */
};

typedef enum reply handler(struct session *s, char *arg, size_t len);

/* Queue reply r to a verb, with the keyword that it is about; that comes from the peer and may have any octets. */
static int
say(struct session *s, enum verb to, enum reply r)
{
	char clean[41];
	size_t i;

	if (!s->detail)
		return transaction_say(&s->in, to, r);
	for (i = 0; i < s->detail_len && i < sizeof clean - 1; i++)
		clean[i] = s->detail[i] > ' ' && s->detail[i] <= '~' ? s->detail[i] : '?';
	clean[i] = '\0';
	return reply_addf(&s->conn.out, r, "%s: %s", reply_text(r), clean) == 0 ? 0 : transaction_say(&s->in, to, r);
}

static void
forget(struct session *s)
{
	transaction_forget(&s->in);
	if (s->state != START)
		s->state = READY;
}

/* The rules for MAIL and RCPT now. AUTH= is allowed if AUTH was offered, and is not passed on: RFC 4954 5. */
static struct mailcmd_rules
rules(const struct session *s)
{
	struct mailcmd_rules r = s->rules;

	if (!s->esmtp)
		r.offered.caps = 0;
	else if (s->auth)
		r.offered.caps |= CAP_AUTH;
	r.each = s->in.lmtp;
	return r;
}

static enum reply
greet(struct session *s, enum verb verb, const char *arg, size_t len)
{
	struct facts *f = &s->call->facts;
	char buf[256];
	const char *host = offer_host(f, buf, sizeof buf);

	if (facts_set(f, "MSA_VERB", verb_name(verb)) < 0 || facts_set_text(f, "MSA_HELO", arg, len) < 0)
		return REPLY_NO_MEMORY;
	s->state = READY;
	forget(s);
	s->esmtp = verb != VERB_HELO;
	return greet_hello(&s->conn.out, verb, &s->rules.offered, host) < 0 ? REPLY_NO_MEMORY : SAID;
}

static enum reply
do_ehlo(struct session *s, char *arg, size_t len)
{
	return greet(s, VERB_EHLO, arg, len);
}

static enum reply
do_helo(struct session *s, char *arg, size_t len)
{
	return greet(s, VERB_HELO, arg, len);
}

static enum reply
do_lhlo(struct session *s, char *arg, size_t len)
{
	return greet(s, VERB_LHLO, arg, len);
}

/* Returns REPLY_OK, or the refusal if the user was stopped after the login. */
static enum reply
stop(struct session *s)
{
	const char *locked = s->conf->locked, *user = facts_get(&s->call->facts, "SMTPAUTHUSER");

	if (!locked || !user || !*user)
		return REPLY_OK;
	switch (lockout_find(locked, user)) {
	case LOCKOUT_FREE:
		return REPLY_OK;
	case LOCKOUT_STOPPED:
		return REPLY_NO_RIGHT;
	case LOCKOUT_UNKNOWN:
		break;
	}
	log_error(&s->call->log, "failed", "%s:", locked);
	return REPLY_LOCAL_ERROR;
}

static enum reply
do_mail(struct session *s, char *arg, size_t len)
{
	const struct facts *f = &s->call->facts;
	struct mailcmd_rules rule = rules(s);
	enum reply r;

	if (rule.offered.mailmax > 0 && ++s->mails > rule.offered.mailmax) { /* RFC 9422 4.1: refused ones count too */
		s->over = true;
		return REPLY_TOO_MANY_MAILS;
	}
	if (!facts_is_authenticated(f) && !facts_get(f, "RELAYCLIENT"))
		return REPLY_AUTH_FIRST; /* a chain without authd is closed: RFC 6409 4.3 */
	r = stop(s);
	if (r != REPLY_OK)
		return r;
	forget(s); /* the state FAILED leaves a transaction */
	r = mailcmd_mail(&s->in.mail, &rule, arg, len, &s->detail, &s->detail_len);
	if (r != REPLY_SENDER_OK)
		return r;
	/* RFC 6409 3.2: without reverse-path, user and address nothing would lead back to the sender. */
	if (s->in.mail.from.len == 0 && !facts_is_authenticated(f) && !facts_get(f, "TCPREMOTEIP")) {
		forget(s);
		return REPLY_NO_RETURN_PATH;
	}
	s->state = MAIL;
	return r;
}

static enum reply
do_rcpt(struct session *s, char *arg, size_t len)
{
	struct mailcmd_rules rule = rules(s);
	struct reply_foreign no = { 0 };
	enum reply r = mailcmd_rcpt(&s->in.mail, &rule, arg, len, &s->detail, &s->detail_len);

	if (r != REPLY_RCPT_OK)
		return r;
	if (s->conf->check && !s->in.mail.again)
		r = transaction_check(&s->in, &no);
	if (r == SAID) {
		s->said = no.code;
		rejectlog_add_foreign(&s->refusals, s->call, VERB_RCPT, &no);
	}
	if (r == REPLY_RCPT_OK)
		s->state = RCPT;
	else
		mailcmd_drop(&s->in.mail);
	reply_foreign_free(&no);
	return r;
}

/* No message came for a while. */
static void
lull(void *arg)
{
	run_idle(((struct session *)arg)->call->next);
}

/* Later stages in this process keep resources for the next message. Let them go if no message comes for a while. */
static void
expect_message(struct session *s)
{
	int idle_s = run_idle_s(s->call->next);

	s->conn.lull_at_ms = idle_s > 0 ? clock_ms() + (int64_t)idle_s * 1000 : 0;
}

/* End the transaction after the answer r. Returns r. */
static enum reply
done(struct session *s, enum reply r)
{
	expect_message(s);
	patience_renew(&s->patience);
	s->over |= s->in.over;
	forget(s);
	return r;
}

static enum reply
do_data(struct session *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	if (s->state != RCPT)
		return s->state != MAIL || s->in.lmtp ? REPLY_ORDER : REPLY_NO_RCPTS; /* RFC 2033 4.2 wants 503 */
	if (s->in.mail.body == BODY_BINARYMIME)
		return REPLY_ORDER; /* RFC 3030 3: only BDAT */
	return done(s, transaction_data(&s->in));
}

/*
 * Answer a BDAT that cannot be read with r, then end the session: what follows cannot be told from commands. RFC 5321
 * 3.8: a server that closes the connection says 421 first.
 */
static enum reply
bad_chunk(struct session *s, enum reply r)
{
	s->over = true;
	return say(s, VERB_BDAT, r) < 0 ? SAID : REPLY_CHUNK_LENGTH;
}

/*
 * RFC 3030 2: a refused chunk ends the transaction, and chunks that follow it in the pipeline are discarded. Each of
 * them gets the same reply, and in LMTP the last one gets it once for each recipient (RFC 2033 4.3), so that commands
 * and replies stay in step.
 */
static enum reply
do_bdat(struct session *s, char *arg, size_t len)
{
	bool wanted = (s->state & (RCPT | CHUNKS | FAILED)) != 0;
	struct chunk c;
	enum reply r;

	if (chunk_parse(&c, arg, len) < 0)
		return bad_chunk(s, REPLY_BAD_ARGUMENT);
	if (!transaction_octets(&s->in, c.size, wanted)) { /* the octets come, even if we refuse the chunk */
		s->over = true;
		return SAID;
	}
	if (!wanted)
		return s->state == MAIL && !s->in.lmtp ? REPLY_NO_RCPTS : REPLY_ORDER;
	if (c.last)
		return done(s, transaction_last(&s->in));
	r = transaction_chunk(&s->in, c.size);
	s->state = s->in.failed ? FAILED : CHUNKS;
	return r;
}

static enum reply
do_rset(struct session *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	forget(s);
	return REPLY_OK;
}

static enum reply
do_noop(struct session *s, char *arg, size_t len)
{
	(void)s;
	(void)arg;
	(void)len;
	return REPLY_OK;
}

static enum reply
do_quit(struct session *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	s->over = true;
	return REPLY_BYE;
}

static enum reply
do_vrfy(struct session *s, char *arg, size_t len)
{
	(void)s;
	(void)arg;
	(void)len;
	return REPLY_VRFY;
}

static enum reply
do_help(struct session *s, char *arg, size_t len)
{
	(void)s;
	(void)arg;
	(void)len;
	return REPLY_HELP;
}

/* After authd: no second AUTH (RFC 4954 4). Without authd AUTH was not offered. */
static enum reply
do_auth(struct session *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	return facts_is_authenticated(&s->call->facts) ? REPLY_ORDER : REPLY_NOT_OFFERED;
}

/* RFC 3207 4.2: not again within TLS. */
static enum reply
do_starttls(struct session *s, char *arg, size_t len)
{
	(void)arg;
	(void)len;
	return facts_is_tls(&s->call->facts) ? REPLY_ORDER : REPLY_NOT_OFFERED;
}

/*
 * Each verb: the states in which it is legal (503 in others), its handler (none: 502), and whether it counts as idle.
 */
static const struct {
	unsigned states;
	handler *run;
	bool idle;
} verbs[VERB_COUNT] = {
	[VERB_EHLO] = { ANY, do_ehlo, true },
	[VERB_HELO] = { ANY, do_helo, true },
	[VERB_LHLO] = { ANY, do_lhlo, true },
	[VERB_MAIL] = { READY | FAILED, do_mail, false },
	[VERB_RCPT] = { MAIL | RCPT, do_rcpt, false },
	[VERB_DATA] = { ANY, do_data, false },
	[VERB_BDAT] = { ANY, do_bdat, false }, /* checks the state itself: its octets must be read in any */
	[VERB_RSET] = { ANY, do_rset, true },
	[VERB_NOOP] = { ANY, do_noop, true },
	[VERB_QUIT] = { ANY, do_quit, false },
	[VERB_VRFY] = { ANY, do_vrfy, true },
	[VERB_HELP] = { ANY, do_help, true },
	[VERB_AUTH] = { ANY, do_auth, false },
	[VERB_STARTTLS] = { ANY, do_starttls, false },
};

/* End the session with reply r, and log the reason unless it is NULL. */
static void
end(struct session *s, enum reply r, const char *reason)
{
	if (reason && log_permit(&s->call->log))
		log_event(&s->call->log, "ended", "reason", reason, "ip", facts_get(&s->call->facts, "TCPREMOTEIP"), (char *)NULL);
	s->over = true;
	s->detail = NULL;
	say(s, VERB_UNKNOWN, r);
}

/* A line of another protocol has come. */
static enum reply
foreign(struct session *s)
{
	end(s, REPLY_FOREIGN, "another protocol");
	return SAID;
}

static enum reply
command(struct session *s, char *line, size_t len, enum verb *verb)
{
	size_t arglen, was = len;
	char *arg;
	enum verb v = verb_parse(line, len, &arg, &arglen);
	size_t adds = v == VERB_MAIL ? param_adds(rules(s).offered.caps, PARAM_OF_MAIL) :
	    v == VERB_RCPT           ? param_adds(rules(s).offered.caps, PARAM_OF_RCPT) :
	                               0;

	*verb = v;
	if (v == VERB_UNKNOWN && verb_is_foreign(line, len))
		return foreign(s);
	if (was + 2 > LINE_COMMAND_MAX + adds)
		return v == VERB_BDAT ? bad_chunk(s, REPLY_LINE_LONG) : REPLY_LINE_LONG;
	if (v == VERB_UNKNOWN || (s->in.lmtp ? v == VERB_EHLO || v == VERB_HELO : v == VERB_LHLO))
		return REPLY_UNKNOWN_VERB; /* RFC 2033 4.1: LMTP has LHLO in place of HELO and EHLO */
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

/* Read and run one command. Returns the reply to send, or SAID; *verb is the command's. */
static enum reply
read_command(struct session *s, enum verb *verb)
{
	size_t len, max = LINE_COMMAND_MAX + param_adds(UINT32_MAX, PARAM_OF_MAIL | PARAM_OF_RCPT);
	char *line;
	enum line_result got = lineio_line(&s->conn, max, s->conf->command_wait_s * 1000, &line, &len);
	enum verb start;

	if ((got == LINE_LONG || got == LINE_BAD) && verb_is_foreign(s->conn.head, strlen(s->conn.head)))
		return foreign(s);
	switch (got) {
	case LINE_OK:
		return command(s, line, len, verb);
	case LINE_LONG:
		*verb = verb_of_start(s->conn.head, strlen(s->conn.head));
		return *verb == VERB_BDAT ? bad_chunk(s, REPLY_LINE_LONG) : REPLY_LINE_LONG;
	case LINE_BAD:
		start = verb_of_start(s->conn.head, strlen(s->conn.head));
		if (start != VERB_BDAT)
			return REPLY_LINE_BAD;
		*verb = start;
		return bad_chunk(s, REPLY_LINE_BAD);
	case LINE_TIMEOUT:
		transaction_lost(&s->in, "commands", "timeout");
		end(s, REPLY_TIMEOUT, NULL);
		return SAID;
	case LINE_STOP:
		end(s, REPLY_SHUTDOWN, NULL);
		return SAID;
	case LINE_EOF:
	case LINE_ERROR:
		break;
	}
	transaction_lost(&s->in, "commands", "closed");
	s->over = true;
	return SAID;
}

/* Answer one command. Returns false if the session is over. */
static bool
turn(struct session *s)
{
	enum verb verb = VERB_UNKNOWN;
	enum reply r, last;

	s->said = 0;
	s->detail = NULL;
	s->in.logged = false;
	r = read_command(s, &verb);
	if (r != SAID && reply_code(r) >= 400 && !s->in.logged)
		rejectlog_add(&s->refusals, s->call, verb, r);
	if (r != SAID && say(s, verb, r) < 0) {
		if (errno == ENOMEM) /* otherwise the client is gone */
			log_error(&s->call->log, "failed", "reply:");
		return false;
	}
	last = patience_count(&s->patience, r == SAID ? s->said : reply_code(r), verbs[verb].idle);
	if (!s->over && last != REPLY_OK)
		end(s, last, last == REPLY_TOO_MANY_ERRORS ? "too many errors" : "too many commands without a message");
	return !s->over;
}

int
session_serve(struct call *call, void *conf)
{
	struct session s;
	const char *verb = facts_get(&call->facts, "MSA_VERB");
	char host[256];
	int wrong;

	memset(&s, 0, offsetof(struct session, conn));
	s.call = call;
	s.conf = conf;
	s.state = START;
	lineio_open(&s.conn, call->in, call->out);
	s.conn.stop = call->stop;
	s.conn.lull = lull;
	s.conn.lull_arg = &s;
	expect_message(&s);
	s.conn.deadline_ms = clock_ms() + (int64_t)s.conf->session_s * 1000;
	s.patience = (struct patience){ .errors_max = s.conf->errors_max, .idle_max = CHAIN_IDLE_MAX,
		.commands_max = CHAIN_COMMANDS_MAX };
	wrong = offer_or_log(&s.rules.offered, &call->facts, &call->log);
	s.rules.domains = s.conf->domains;
	s.auth = verb || facts_is_authenticated(&call->facts);
	s.in = (struct transaction){ .call = call, .conf = conf, .conn = &s.conn, .lmtp = facts_is_lmtp(&call->facts),
		.size_max = s.rules.offered.size };
	transaction_forget(&s.in);
	if (wrong)
		end(&s, REPLY_TROUBLE, NULL);
	else if (verb) { /* authd has sent the greeting and answered EHLO */
		s.state = READY;
		s.esmtp = strcmp(verb, "HELO") != 0;
	} else if (greet_banner(&s.conn.out, offer_host(&call->facts, host, sizeof host), s.in.lmtp) < 0) {
		log_error(&call->log, "failed", "greeting:");
		end(&s, REPLY_TROUBLE, NULL);
	}
	while (!s.over && turn(&s))
		;
	lineio_flush(&s.conn, s.conf->command_wait_s * 1000);
	rejectlog_end(&s.refusals, call);
	forget(&s);
	lineio_close(&s.conn);
	return CHAIN_DONE;
}
