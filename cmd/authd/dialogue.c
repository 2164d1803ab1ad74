/*
 * ISC licence, see LICENSE.
 *
 * The dialogue of authd: RFC 4954 within RFC 5321. It reads exactly the commands that it answers, and leaves all other
 * octets to the next stage. Senders, recipients and data are submitd's, STARTTLS is tlsd's.
 */
#include "dialogue.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "auth/lockout.h"
#include "auth/saslserver.h"
#include "base/base64.h"
#include "base/clock.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "guesses.h"
#include "net/lineio.h"
#include "smtp/chunk.h"
#include "smtp/ehlo.h"
#include "smtp/greet.h"
#include "smtp/patience.h"
#include "smtp/reply.h"
#include "smtp/verb.h"
#include "submit/pace.h"
#include "submit/rejectlog.h"

enum {
	HOST_MAX = 256,
	PEEK = 5, /* "MAIL" and the octet after it */
};

struct session {
	struct call *call;
	const struct authd *conf;
	enum verb hello; /* the client's last greeting; VERB_UNKNOWN: none yet */
	enum verb verb;  /* of the current command */
	int code;        /* of the reply to it; 0: not refused */
	int failures;    /* wrong passwords */
	struct patience patience; /* every command counts as idle: no dialogue before MAIL needs CHAIN_IDLE_MAX of them */
	struct ehlo offer; /* without AUTH */
	struct rejectlog refusals;
	struct guesses guesses;
	bool attempt; /* the reply is about an attempt, which has a log line of its own */
	bool auth;    /* AUTH may be offered */
	struct lineio c; /* last: its buffer is not zeroed */
};

enum step { STEP_ON, STEP_NEXT, STEP_END };

static enum step
answer(struct session *s, enum reply r)
{
	if (reply_code(r) >= 400 && !s->attempt)
		rejectlog_add(&s->refusals, s->call, s->verb, r);
	s->code = reply_code(r);
	return reply_add_to(&s->c.out, s->verb, r) < 0 ? STEP_END : STEP_ON;
}

/* End the session with reply r, and log the event unless it is NULL. */
static enum step
part(struct session *s, enum reply r, const char *event)
{
	if (event && log_permit(&s->call->log))
		log_event(&s->call->log, event, "ip", facts_get(&s->call->facts, "TCPREMOTEIP"), (char *)NULL);
	reply_add(&s->c.out, r);
	return STEP_END;
}

/* Answer a BDAT that cannot be read with r, then end: what follows cannot be told from commands. */
static enum step
bad_chunk(struct session *s, enum reply r)
{
	s->verb = VERB_BDAT;
	return answer(s, r) == STEP_ON ? part(s, REPLY_CHUNK_LENGTH, NULL) : STEP_END;
}

/* Answer input that is not a valid line, or end the session. */
static enum step
no_line(struct session *s, enum line_result r)
{
	enum verb start = verb_of_start(s->c.head, strlen(s->c.head));

	if ((r == LINE_LONG || r == LINE_BAD) && verb_is_foreign(s->c.head, strlen(s->c.head)))
		return part(s, REPLY_FOREIGN, "foreign");
	switch (r) {
	case LINE_LONG:
		s->verb = start;
		if (start == VERB_BDAT)
			return bad_chunk(s, REPLY_LINE_LONG);
		return answer(s, start == VERB_AUTH ? REPLY_AUTH_LONG : REPLY_LINE_LONG);
	case LINE_BAD:
		return start == VERB_BDAT ? bad_chunk(s, REPLY_LINE_BAD) : answer(s, REPLY_LINE_BAD);
	case LINE_TIMEOUT:
		return part(s, REPLY_TIMEOUT, "timeout");
	case LINE_STOP:
		return part(s, REPLY_SHUTDOWN, NULL);
	default:
		return STEP_END;
	}
}

static enum step
hello(struct session *s, enum verb v, char *arg, size_t len)
{
	struct facts *f = &s->call->facts;
	char buf[HOST_MAX];
	const char *host = offer_host(f, buf, sizeof buf);
	struct ehlo e = s->offer;

	if ((v == VERB_LHLO) != facts_is_lmtp(f))
		return answer(s, v == VERB_LHLO ? REPLY_AUTH_FIRST : REPLY_WRONG_HELLO);
	if (len == 0)
		return answer(s, REPLY_NO_ARGUMENT);
	if (facts_set(f, "MSA_VERB", verb_name(v)) < 0 || facts_set_text(f, "MSA_HELO", arg, len) < 0)
		return part(s, REPLY_TROUBLE, "failed");
	s->hello = v;
	if (s->auth) {
		sasl_service_list(&s->conf->service, f, e.auth);
		e.caps |= *e.auth ? CAP_AUTH : 0u;
	}
	return greet_hello(&s->c.out, v, &e, host) < 0 ? STEP_END : STEP_ON;
}

static enum step
noop(struct session *s, enum verb v, char *arg, size_t len)
{
	(void)v;
	(void)arg;
	(void)len;
	return answer(s, REPLY_OK);
}

static enum step
quit(struct session *s, enum verb v, char *arg, size_t len)
{
	(void)v;
	(void)arg;
	(void)len;
	return part(s, REPLY_BYE, NULL);
}

/* Under TLS: RFC 3207 4.2. In clear text, like any other command before AUTH (RFC 4954 6), because tlsd does TLS. */
static enum step
starttls(struct session *s, enum verb v, char *arg, size_t len)
{
	(void)v;
	(void)arg;
	(void)len;
	return answer(s, facts_is_tls(&s->call->facts) ? REPLY_ORDER : REPLY_AUTH_FIRST);
}

/* A client that needs no AUTH must greet before MAIL too: the next stage relies on MSA_VERB. */
static enum step
mail(struct session *s, enum verb v, char *arg, size_t len)
{
	(void)v;
	(void)arg;
	(void)len;
	return answer(s, facts_get(&s->call->facts, "RELAYCLIENT") && s->hello == VERB_UNKNOWN ? REPLY_ORDER :
	    REPLY_AUTH_FIRST);
}

/*
 * Returns true if the name of a failed attempt may be logged. People type passwords in its place, so it must surely be
 * a name: it is in the store, or it has the form of an ordinary mail address, which no password generator makes. A
 * domain that we have added says nothing.
 */
static bool
is_loggable(const struct saslserver *x)
{
	static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	size_t local = strspn(x->user, word);
	const char *domain = x->user + local + 1;

	if (saslserver_is_known(x) || x->is_completed)
		return saslserver_is_known(x);
	return local > 0 && x->user[local] == '@' && strchr(domain, '.') && domain[strspn(domain, word)] == '\0';
}

/* Returns the label of the password, or NULL: none, or not known. */
static const char *
label_of(const struct saslserver *x)
{
	return *x->check.label && !x->reason ? x->check.label : NULL;
}

/* Set the facts of the user who has authenticated. Returns 0, or -1 with errno set (ENOMEM) and no user set. */
static int
set_user(struct facts *f, const struct saslserver *x)
{
	const char *label = label_of(x);

	if (facts_set(f, "SMTPAUTHUSER", x->user) == 0 && facts_set(f, "SMTPAUTHMETHOD", x->mech) == 0 &&
	    (!label || facts_set(f, "SMTPAUTHLABEL", label) == 0))
		return 0;
	facts_unset(f, "SMTPAUTHUSER");
	return -1;
}

static void
log_attempt(struct session *s, const struct saslserver *x, const char *event, const char *user)
{
	const struct facts *f = &s->call->facts;

	log_event(&s->call->log, event, "user", user, "mech", x->mech, "label", label_of(x), "reason", x->reason, "ip",
	    facts_get(f, "TCPREMOTEIP"), "tls", facts_get(f, "SSL_PROTOCOL"), (char *)NULL);
}

/* Look whether the user was stopped, whatever the result is. Returns the new result. */
static enum saslserver_result
stop(struct session *s, struct saslserver *x, enum saslserver_result r)
{
	enum lockout found = s->conf->locked ? lockout_find(s->conf->locked, x->user) : LOCKOUT_FREE;

	if (found == LOCKOUT_FREE || r != SASLSERVER_DONE)
		return r;
	if (found == LOCKOUT_UNKNOWN)
		log_error(&s->call->log, "failed", "%s:", s->conf->locked);
	if (found == LOCKOUT_STOPPED) {
		saslserver_even_out(x);
		return saslserver_refuse(x, "user is locked");
	}
	x->reason = "locked users are not known";
	return SASLSERVER_LATER;
}

/* Send what x has to say to the client. Returns how the client's line was read: *line, of *len octets. */
static enum line_result
ask(struct session *s, const struct saslserver *x, char **line, size_t *len)
{
	enum line_result got;

	if (buf_puts(&s->c.out, "334 ") < 0 || base64_encode(&s->c.out, x->challenge, x->challenge_len) < 0 ||
	    buf_puts(&s->c.out, "\r\n") < 0)
		return LINE_ERROR;
	got = lineio_line(&s->c, LINE_AUTH_MAX, s->conf->wait_ms, line, len);
	explicit_bzero(s->c.head, sizeof s->c.head); /* the start of a response, not a verb */
	return got;
}

/*
 * A client that was refused learns why before the reply, and has to answer something first (RFC 7628 3.2.3). Its
 * attempt was counted and logged before that, so it gains nothing by leaving now.
 */
static enum step
explain(struct session *s, const struct saslserver *x)
{
	char *line;
	size_t len;
	enum line_result got = ask(s, x, &line, &len);

	if (got != LINE_OK && got != LINE_LONG && got != LINE_BAD)
		return no_line(s, got);
	return answer(s, got == LINE_OK && len == 1 && *line == '*' ? REPLY_AUTH_CANCELLED : REPLY_AUTH_FAILED);
}

static enum step
finish(struct session *s, struct saslserver *x, enum saslserver_result r)
{
	struct facts *f = &s->call->facts;
	enum guesses_result g = GUESSES_ANSWER;

	/* A user who was locked during the exchange does not come in. */
	if (r == SASLSERVER_DONE && authd_changed(s->conf))
		return part(s, REPLY_SHUTDOWN, "outdated");
	r = stop(s, x, r);
	if (r == SASLSERVER_DONE && set_user(f, x) < 0) {
		x->reason = "out of memory";
		r = SASLSERVER_LATER;
	}
	switch (r) {
	case SASLSERVER_DONE:
		if (guesses_end(&s->guesses, x, r) == GUESSES_REFUSE) {
			facts_unset(f, "SMTPAUTHUSER");
			facts_unset(f, "SMTPAUTHMETHOD");
			facts_unset(f, "SMTPAUTHLABEL");
			return part(s, REPLY_GUESSED, NULL);
		}
		log_attempt(s, x, "authenticated", x->user);
		return answer(s, REPLY_AUTHENTICATED) == STEP_ON ? STEP_NEXT : STEP_END;
	case SASLSERVER_REFUSED:
		s->failures += x->is_guess;
		s->attempt = true;
		log_attempt(s, x, "refused", is_loggable(x) ? x->user : NULL);
		g = guesses_end(&s->guesses, x, r);
		if (g == GUESSES_REFUSE)
			return part(s, REPLY_GUESSED, NULL);
		if (g == GUESSES_END)
			s->failures = s->conf->attempts;
		return x->is_last ? explain(s, x) : answer(s, REPLY_AUTH_FAILED);
	case SASLSERVER_SERVER_FIRST:
		s->code = reply_code(REPLY_AUTH_CANCELLED);
		rejectlog_add(&s->refusals, s->call, VERB_AUTH, REPLY_AUTH_CANCELLED);
		return reply_addf(&s->c.out, REPLY_AUTH_CANCELLED, "The server speaks first in this mechanism") < 0 ?
		    STEP_END : STEP_ON;
	default:
		s->attempt = true;
		log_attempt(s, x, "failed", NULL);
		guesses_later(&s->guesses, x);
		return answer(s, REPLY_NO_AUTH_NOW);
	}
}

/*
 * Send the challenge and take the response. *go_on: the exchange goes on, and *r is its result; otherwise it is over.
 */
static enum step
challenge(struct session *s, struct saslserver *x, enum saslserver_result *r, bool *go_on)
{
	enum line_result got;
	enum step step;
	char *line;
	size_t len;
	ssize_t n;

	*go_on = false;
	got = ask(s, x, &line, &len);
	if (got == LINE_LONG)
		return answer(s, REPLY_AUTH_LONG);
	if (got != LINE_OK)
		return no_line(s, got);
	if (len == 1 && *line == '*')
		return answer(s, REPLY_AUTH_CANCELLED);
	/* RFC 4954 4 has "=" for an initial response only, but curl sends it here for an empty response too. */
	n = x->takes_empty && len == 1 && *line == '=' ? 0 : base64_decode(line, line, len);
	if (n < 0)
		step = answer(s, REPLY_AUTH_BASE64);
	else {
		line[n] = '\0';
		*r = saslserver_step(x, line, (size_t)n);
		*go_on = true;
		step = STEP_ON;
	}
	explicit_bzero(line, len);
	return step;
}

static enum step
auth(struct session *s, enum verb v, char *arg, size_t len)
{
	size_t mech = strcspn(arg, " \t"), at = mech + strspn(arg + mech, " \t");
	char *initial = at > mech ? arg + at : NULL;
	ssize_t n = 0;
	struct saslserver x;
	enum saslserver_result r;
	enum step step = STEP_ON;
	bool go_on = true;

	(void)v;
	if (s->hello == VERB_UNKNOWN || (s->hello == VERB_HELO && !s->conf->helo)) /* RFC 4954 4: EHLO has offered it */
		return answer(s, REPLY_ORDER);
	if (len == 0)
		return answer(s, REPLY_NO_ARGUMENT);
	if (!s->auth)
		return answer(s, REPLY_AUTH_NEEDS_TLS);
	/* The user may be locked by now. The next session has the new files: this process may not be allowed to open them. */
	if (authd_changed(s->conf))
		return part(s, REPLY_SHUTDOWN, "outdated");
	if (!sasl_service_offers(&s->conf->service, &s->call->facts, arg, mech))
		return answer(s, REPLY_NO_MECHANISM);
	if ((mech != strlen(sasl_external) || strncasecmp(arg, sasl_external, mech) != 0) && guesses_refuse(&s->guesses))
		return part(s, REPLY_GUESSED, NULL);
	if (initial && strcmp(initial, "=") != 0)
		n = base64_decode(initial, initial, len - at);
	if (n < 0)
		return answer(s, REPLY_AUTH_BASE64);
	if (initial)
		initial[n] = '\0';
	r = saslserver_begin(&x, (struct sasl_service *)&s->conf->service, &s->call->facts, &s->call->log, arg, mech,
	    initial, (size_t)n);
	explicit_bzero(arg, len);
	while (go_on && r == SASLSERVER_CHALLENGE)
		if (guesses_hold(&s->guesses, &x)) {
			step = part(s, REPLY_GUESSED, NULL);
			go_on = false;
		} else
			step = challenge(s, &x, &r, &go_on);
	if (go_on)
		step = finish(s, &x, r);
	saslserver_end(&x);
	return step;
}

/* RFC 3030 2: the octets follow the command at once, and are not commands whatever we answer. */
static enum step
bdat(struct session *s, enum verb v, char *arg, size_t len)
{
	struct chunk c;
	enum line_result r;

	(void)v;
	if (chunk_parse(&c, arg, len) < 0)
		return bad_chunk(s, REPLY_AUTH_FIRST);
	r = pace_skip(&s->c, c.size);
	return r == LINE_OK ? answer(s, REPLY_AUTH_FIRST) : no_line(s, r);
}

/* Verbs without a handler need authentication. */
static enum step (*const handlers[VERB_COUNT])(struct session *, enum verb, char *, size_t) = {
	[VERB_EHLO] = hello,
	[VERB_HELO] = hello,
	[VERB_LHLO] = hello,
	[VERB_NOOP] = noop,
	[VERB_RSET] = noop,
	[VERB_QUIT] = quit,
	[VERB_STARTTLS] = starttls,
	[VERB_MAIL] = mail,
	[VERB_AUTH] = auth,
	[VERB_BDAT] = bdat,
};

static enum step
command(struct session *s, char *line, size_t len)
{
	enum verb v;
	char *arg;
	size_t arglen;

	v = verb_parse(line, len, &arg, &arglen);
	s->verb = v;
	if (v == VERB_UNKNOWN && verb_is_foreign(line, len))
		return part(s, REPLY_FOREIGN, "foreign");
	if (len + 2 > LINE_COMMAND_MAX && v != VERB_AUTH)
		return v == VERB_BDAT ? bad_chunk(s, REPLY_LINE_LONG) : answer(s, REPLY_LINE_LONG);
	if (!handlers[v])
		return answer(s, REPLY_AUTH_FIRST);
	if (verb_arg(v) == VERB_ARG_NONE && arglen > 0 && v != VERB_STARTTLS)
		return answer(s, REPLY_SOME_ARGUMENT);
	return handlers[v](s, v, arg, arglen);
}

/* Look for MAIL from a client that need not authenticate: that line is left to the next stage. Sets *found. */
static enum line_result
look_for_mail(struct session *s, bool *found)
{
	char p[PEEK];
	size_t got = 0;
	enum line_result r;

	*found = false;
	if (s->hello == VERB_UNKNOWN || !facts_get(&s->call->facts, "RELAYCLIENT"))
		return LINE_OK;
	r = lineio_peek(&s->c, p, sizeof p, s->conf->wait_ms, &got);
	*found = r == LINE_OK && got == PEEK && strncasecmp(p, "MAIL", 4) == 0 && (p[4] == ' ' || p[4] == '\t');
	return r;
}

/* After a command: go on, or end the session if the client gets nowhere. */
static enum step
count(struct session *s)
{
	enum reply r = patience_count(&s->patience, s->code, true);

	if (s->failures >= s->conf->attempts)
		r = REPLY_TOO_MANY_ERRORS;
	if (r == REPLY_OK)
		return STEP_ON;
	return part(s, r, r == REPLY_TOO_MANY_ERRORS ? "too-many-errors" : "too-many-commands");
}

/* A client that needs no password, or may have a better proof, is heard. */
static bool
is_turned_away(struct session *s)
{
	const struct facts *f = &s->call->facts;

	return !facts_get(f, "RELAYCLIENT") && !(s->conf->certs_path && facts_get(f, "SSL_PEER_CERT_HASH")) &&
	    guesses_refuse(&s->guesses);
}

static enum step
converse(struct session *s)
{
	char buf[HOST_MAX];
	enum step step = STEP_ON;

	if (is_turned_away(s))
		return part(s, REPLY_GUESSED, NULL);
	if (greet_banner(&s->c.out, offer_host(&s->call->facts, buf, sizeof buf), facts_is_lmtp(&s->call->facts)) < 0)
		return STEP_END;
	while (step == STEP_ON) {
		enum line_result r;
		char *line;
		size_t len;
		bool found;

		s->code = 0;
		s->verb = VERB_UNKNOWN;
		s->attempt = false;
		r = look_for_mail(s, &found);
		if (found)
			return STEP_NEXT;
		if (r == LINE_OK)
			r = lineio_line(&s->c, LINE_AUTH_MAX, s->conf->wait_ms, &line, &len);
		step = r == LINE_OK ? command(s, line, len) : no_line(s, r);
		if (step == STEP_ON)
			step = count(s);
	}
	return step;
}

/*
 * Returns true if path names a file other than these two, false if no file is there. Our user may be unable to look
 * into the directory: then the open file fd tells, which has no link left once the store was replaced. fd is -1 if the
 * file is not kept open.
 */
static bool
is_new(const char *path, int fd, const struct table_file *open, const struct table_file *refused)
{
	struct table_file now = table_file_look(path);
	struct stat st;

	if (now.ino == 0 && errno == EACCES && fd >= 0 && refused->ino == 0)
		return fstat(fd, &st) == 0 && st.st_nlink == 0;
	if (now.ino == 0 || table_file_is_same(&now, open))
		return false;
	/* A file that was refused for its mode is another one after chmod. */
	return !table_file_is_same(&now, refused) || now.ctime.tv_sec != refused->ctime.tv_sec ||
	    now.ctime.tv_nsec != refused->ctime.tv_nsec;
}

bool
authd_changed(const struct authd *a)
{
	return (a->store && is_new(a->store, a->db->fd, &a->db->file, &a->refused_store)) ||
	    (a->certs_path && is_new(a->certs_path, -1, &a->certs->file, &a->refused_certs));
}

int
authd_serve(struct call *call, void *conf)
{
	const struct authd *a = conf;
	enum step step = STEP_END;
	struct session s;

	memset(&s, 0, offsetof(struct session, c));
	s.call = call;
	s.conf = a;
	s.patience = (struct patience){ .errors_max = CHAIN_ERRORS_MAX, .idle_max = CHAIN_IDLE_MAX };
	s.auth = a->clear || facts_is_tls(&call->facts);
	lineio_open(&s.c, call->in, call->out);
	s.c.stop = call->stop;
	s.c.exact = true;
	s.c.deadline_ms = clock_ms() + (int64_t)CHAIN_SESSION_S * 1000;
	guesses_open(&s.guesses, a, call);
	if (a->replaced)
		log_event(&call->log, "replaced", "reason", "the table of penalties was damaged", (char *)NULL);
	if (a->trouble) {
		log_error(&call->log, "misuse", "%s", a->trouble);
		reply_add(&s.c.out, REPLY_TROUBLE);
	} else if (offer_or_log(&s.offer, &call->facts, &call->log) < 0) /* the next stage would not serve either */
		reply_add(&s.c.out, REPLY_TROUBLE);
	else if (facts_get(&call->facts, "RELAYCLIENT") && !s.c.in_socket)
		step = STEP_NEXT; /* we cannot look for MAIL in a pipe without reading it, so the next stage greets */
	else
		step = converse(&s);
	if (lineio_flush(&s.c, a->wait_ms) < 0)
		step = STEP_END;
	rejectlog_end(&s.refusals, call);
	lineio_wipe(&s.c);
	if (step == STEP_NEXT)
		return call_next(call);
	return a->trouble ? a->trouble_exit : CHAIN_DONE;
}
