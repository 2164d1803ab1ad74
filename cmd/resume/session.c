/*
 * ISC licence, see LICENSE.
 *
 * A foreign server reads its commands from fd 0 and does not know MSA_VERB. resume sends it the client's greeting and
 * keeps the replies from the client. So resume must stay between them and cannot simply become the server.
 */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "net/ipaddr.h"
#include "smtp/ehlo.h"
#include "smtp/lastreply.h"
#include "stage/relay.h"
#include "xclient.h"

enum {
	LINES_MAX = 100,    /* of one reply */
	STALL_MS = 300000,  /* for a client that reads no output, and for a server that ends no more after its input did */
	SAY_MS = 5000,      /* for our own last reply */
	TEXT_MAX = 200,     /* octets of a reply in the log */
};

struct session {
	struct call *call;
	const struct resume *conf;
	const char *name; /* of the server, for the log */
	pid_t pid;       /* 0: the server is not our child */
	int fd;          /* to the server; -1: closed */
	struct lineio c; /* of fd, until the pump begins */
	struct ehlo has; /* the server's EHLO keywords */
	struct xclient xclient; /* and what it takes by XCLIENT */
	struct buf greeting; /* to the client, which nobody has greeted yet */
	char said[TEXT_MAX]; /* the last line of its last reply */
	struct fdpair client, server;
	struct relay_flow up, down;
	struct lastreply tail;
	int64_t end_ms;  /* of the session */
};

/* Start the server, or connect to it. Returns 0, or -1 with the reason logged. */
static int
start(struct session *s)
{
	const char *why = "";

	if (s->conf->over_tcp) {
		s->fd = nexthop_connect(&s->conf->hop, !s->conf->to_anybody, clock_ms() + s->conf->wait_ms, &why);
		if (s->fd < 0)
			log_event(&s->call->log, "failed", "server", s->name, "reason", why, (char *)NULL);
		return s->fd < 0 ? -1 : 0;
	}
	s->fd = relay_start(s->call, s->call->next->argv, &s->pid);
	if (s->fd < 0) {
		log_error(&s->call->log, "failed", "server %s:", s->name);
		s->pid = 0;
	}
	return s->fd < 0 ? -1 : 0;
}

static void
finish(struct session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->pid > 0)
		relay_finish(s->pid);
}

/* Read one reply. Returns its code, or 0 and the reason in *result. */
static int
take_reply(struct session *s, enum line_result *result)
{
	int code = 0, first = 0, i;
	bool last = false;

	s->c.deadline_ms = clock_ms() + s->conf->wait_ms;
	for (i = 0; !last; i++) {
		const char *text;
		char *line;
		size_t len;

		*result = lineio_line(&s->c, LINE_REPLY_MAX, s->conf->wait_ms, &line, &len);
		if (*result != LINE_OK)
			return 0;
		snprintf(s->said, sizeof s->said, "%s", line);
		if (!reply_line(line, len, &code, &last, &text, &len) || (first && code != first) || i == LINES_MAX) {
			*result = LINE_BAD;
			return 0;
		}
		if (i > 0) {
			ehlo_take(&s->has, text, len);
			xclient_take(&s->xclient, text, len);
		}
		first = code;
	}
	return code;
}

/* Log why the server cannot be used. Returns the reply for the client. */
static enum reply
no_server(const struct session *s, enum line_result r, int code)
{
	char text[8];
	const char *reason = strerror(errno);

	switch (r) {
	case LINE_STOP:
		return REPLY_SHUTDOWN;
	case LINE_OK:
		reason = "the server refuses";
		break;
	case LINE_EOF:
		reason = "the server ended";
		break;
	case LINE_TIMEOUT:
		reason = "no reply in time";
		break;
	case LINE_BAD:
	case LINE_LONG:
		reason = "no valid reply";
		break;
	default:
		break;
	}
	snprintf(text, sizeof text, "%d", code);
	log_event(&s->call->log, "failed", "server", s->name, "reason", reason, "code", code ? text : NULL,
	    "text", *s->said ? s->said : NULL, (char *)NULL);
	return REPLY_TROUBLE;
}

/* Log the extensions that the stage before us offered to the client and the server lacks. */
static void
compare(const struct session *s)
{
	struct ehlo promised, lacks = { 0 };
	struct buf b = { 0 };
	size_t i;

	offer_from_facts(&promised, &s->call->facts);
	lacks.caps = promised.caps & ~s->has.caps & ~(uint32_t)(CAP_ENHANCEDSTATUSCODES | CAP_SIZE | CAP_LIMITS);
	if (lacks.caps && ehlo_keywords(&b, &lacks) == 0) {
		b.p[--b.len] = '\0';
		for (i = 0; i < b.len; i++)
			if (b.p[i] == '\n')
				b.p[i] = ',';
		log_event(&s->call->log, "lacks", "server", s->name, "keywords", b.p, (char *)NULL);
	}
	buf_free(&b);
}

/*
 * Repeat the client's greeting to the server. If the server refuses its argument, which can be any text, use the
 * client's address, which every server accepts (RFC 5321 4.1.3). Returns as take_reply.
 */
static int
greet_again(struct session *s, const char *verb, enum line_result *result)
{
	const struct facts *f = &s->call->facts;
	const char *name = facts_get(f, "MSA_HELO"), *ip = facts_get(f, "TCPREMOTEIP");
	char address[IPADDR_LITERAL] = "[127.0.0.1]";
	struct ipaddr a;
	int code;

	if (ip && ipaddr_parse_zoned(&a, ip) == 0)
		ipaddr_literal(&a, address);
	s->has = (struct ehlo){ .caps = 0 };
	buf_printf(&s->c.out, "%s %s\r\n", verb, name && *name ? name : address);
	code = take_reply(s, result);
	if (code / 100 != 5 || !name)
		return code;
	buf_printf(&s->c.out, "%s %s\r\n", verb, address);
	return take_reply(s, result);
}

/*
 * Tell the server by XCLIENT who the client is: what it offers in its reply to EHLO, and at least the address and the
 * user. Afterwards the server has greeted again, and waits for the client's greeting. Returns as take_reply: 220 is
 * success.
 */
static int
introduce(struct session *s, const char *verb, enum line_result *result)
{
	int code = greet_again(s, strcmp(verb, "LHLO") == 0 ? verb : "EHLO", result);
	const char *lacks;

	if (code != 250)
		return code;
	lacks = xclient_lacks(&s->xclient, &s->call->facts);
	if (lacks) {
		snprintf(s->said, sizeof s->said, "no XCLIENT %s for us", lacks);
		return code;
	}
	if (xclient_command(&s->c.out, &s->xclient, &s->call->facts) < 0) {
		*result = LINE_ERROR;
		return 0;
	}
	return take_reply(s, result);
}

/*
 * Returns 0 if the server greeted with 220 and answered the client's greeting with 250; else -1 and *r for the client.
 */
static int
resume(struct session *s, const char *verb, enum reply *r)
{
	enum line_result result = LINE_OK;
	int code = take_reply(s, &result);

	if (code == 220 && s->conf->over_tcp)
		code = introduce(s, verb ? verb : "EHLO", &result);
	if (code == 220 && !verb) { /* the client waits for this greeting */
		buf_printf(&s->greeting, "%s\r\n", s->said);
		return 0;
	}
	if (code == 220) {
		code = greet_again(s, verb, &result);
		if (code == 250) {
			if (strcmp(verb, "HELO") != 0)
				compare(s);
			return 0;
		}
	}
	*r = no_server(s, result, code);
	return -1;
}

/* What the server has said. */
static void
note(void *arg, const char *p, size_t n)
{
	lastreply_note(arg, p, n);
}

/*
 * Move octets both ways, unread, until the server's output ends or the client is gone. Returns true if *r must still be
 * sent to the client.
 */
static bool
pump(struct session *s, enum reply *r)
{
	int64_t stall_ms = 0;
	bool shut = false;

	while (!relay_is_over(&s->down)) {
		bool moved = relay_move(&s->up), said = relay_move(&s->down);
		bool owing = s->down.pos < s->down.len || s->up.eof || s->up.deaf;

		if (s->up.eof && s->up.pos == s->up.len && !shut) {
			shutdown(s->fd, SHUT_WR);
			shut = true;
		}
		if (!owing || said || stall_ms == 0)
			stall_ms = clock_ms() + STALL_MS;
		if (moved || said)
			continue;
		if (!relay_wait(&s->up, &s->down, owing && stall_ms < s->end_ms ? stall_ms : s->end_ms)) {
			log_event(&s->call->log, "timeout", (char *)NULL);
			*r = REPLY_TIMEOUT;
			return s->down.pos == s->down.len && lastreply_is_complete(&s->tail);
		}
	}
	if (s->down.deaf || s->up.eof || lastreply_is_goodbye(&s->tail))
		return false;
	log_error(&s->call->log, "next", "it ended without 221 or 421");
	*r = REPLY_TROUBLE;
	return lastreply_is_complete(&s->tail);
}

/* Octets that came after the replies we kept belong to the client. */
static void
open_pump(struct session *s)
{
	fdpair_open(&s->client, s->call->in, s->call->out);
	fdpair_open(&s->server, s->fd, s->fd);
	s->up.from = s->down.to = &s->client;
	s->up.to = s->down.from = &s->server;
	s->down.note = note;
	s->down.arg = &s->tail;
	if (s->greeting.len > 0)
		memcpy(s->down.data, s->greeting.p, s->greeting.len);
	s->down.len = s->greeting.len;
	buf_free(&s->greeting);
	if (s->down.len + s->c.len - s->c.pos > sizeof s->down.data)
		s->c.len = s->c.pos; /* a server that says so much before it is asked */
	memcpy(s->down.data + s->down.len, s->c.in_buf + s->c.pos, s->c.len - s->c.pos);
	s->down.len += s->c.len - s->c.pos;
	lastreply_note(&s->tail, s->down.data, s->down.len);
}

static void
say(struct session *s, enum reply r)
{
	struct lineio client;

	lineio_open(&client, s->call->in, s->call->out);
	if (reply_add(&client.out, r) == 0)
		lineio_flush(&client, SAY_MS);
	lineio_close(&client);
}

int
resume_serve(struct call *call, void *conf)
{
	struct session s = { .call = call, .conf = conf, .fd = -1, .end_ms = clock_ms() + (int64_t)CHAIN_SESSION_S * 1000 };
	const char *verb = facts_get(&call->facts, "MSA_VERB");
	enum reply r = REPLY_TROUBLE;
	bool last_words = true, resumed = false;

	if (!verb && !s.conf->over_tcp) /* the client has not greeted yet: nothing to repeat */
		return call_next(call);
	s.name = s.conf->over_tcp ? s.conf->hop.text : call->next->argv[0];
	if (start(&s) == 0) {
		lineio_open(&s.c, s.fd, s.fd);
		s.c.stop = call->stop;
		resumed = resume(&s, verb, &r) == 0;
		open_pump(&s);
		lineio_close(&s.c);
		if (resumed)
			last_words = pump(&s, &r);
	}
	if (last_words)
		say(&s, r);
	shutdown(call->out, SHUT_WR); /* the client need not wait until the server has ended */
	if (call->may_exec)
		close(call->out);
	finish(&s);
	return resumed ? CHAIN_DONE : CHAIN_LATER;
}
