/* ISC licence, see LICENSE. */
/*
 * An LMTP or SMTP server that does what a test tells it to, and records what it was told.
 *
 * usage: lmtpd [-is] [-c file] [-e keyword,...] [-E keyword,...] [-n sessions] [-r file] [-t seconds] [-u path]
 *              [rule ...]
 *
 * Listens on the Unix socket path, or on a free port of 127.0.0.1; prints its address when it does; serves that many
 * sessions (1), one after another, and ends; or ends after so many seconds (120) whatever happens.
 * -s: SMTP: EHLO or HELO in place of LHLO, and one reply to a text. -i: TLS from the start. -c: its certificate and
 * key.
 * -E: what EHLO offers under TLS (default: what -e says, without STARTTLS).
 * -e: what LHLO offers (default PIPELINING,8BITMIME,ENHANCEDSTATUSCODES; "" for nothing; @file: what is in the file
 * then).
 * -r: file gets every octet that was received, file.reads a line (as Python writes bytes) for what each turn brought:
 * all that came until the client waited for an answer. A handshake is recorded as the line [TLS].
 *
 * A rule is STEP=ACTION, or STEP#N=ACTION for the Nth time in a session, or RCPT:text=ACTION for a command with that
 * text; with N/ before it, it is for the Nth session only.
 * STEP is GREETING, LHLO, EHLO, HELO, STARTTLS, HANDSHAKE (before it), AUTH, RESPONSE (a line of its exchange, as long
 * as the answer is 334), MAIL, RCPT, DATA, EMPTY (DATA without a recipient), TEXT (begun, not ended: after 100 octets),
 * END (once a recipient), BDAT (its reply, once a recipient), RSET or QUIT. An action is one or more of these, with "|"
 * between them:
 *     250 2.0.0 text   a reply: CR LF is added; \r \n \0 \xHH as in C, so one can have several lines
 *     raw:octets       the same without CR LF
 *     flood:octets     them, again and again until the client closes
 *     close            close the connection      stall   say nothing more until the client closes
 *     sleep:seconds    wait
 */
#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/scripted.h"
#include "lib/tlsend.h"

static const struct step {
	const char *name, *action;
} steps[] = {
	{ "GREETING", NULL },
	{ "LHLO", NULL },
	{ "EHLO", NULL },
	{ "HELO", "250 test" },
	{ "STARTTLS", "220 2.0.0 Go on" },
	{ "HANDSHAKE", "" },
	{ "AUTH", "235 2.7.0 Welcome" },
	{ "RESPONSE", "235 2.7.0 Welcome" },
	{ "MAIL", "250 2.1.0 Sender ok" },
	{ "RCPT", "250 2.1.5 Recipient ok" },
	{ "DATA", "354 Go on" },
	{ "EMPTY", "503 5.5.1 No recipients" },
	{ "END", "250 2.0.0 Saved" },
	{ "BDAT", "250 2.0.0 Saved" },
	{ "RSET", "250 2.0.0 Reset" },
	{ "QUIT", "221 2.0.0 Bye|close" },
	{ "TEXT", "" },
};

enum { NSTEPS = sizeof steps / sizeof *steps };

struct server {
	bool smtp, tls;
	const char *offer, *offer_tls, *certificate, *record;
	char **rules; /* NULL at their end */
};

struct session {
	const struct server *server;
	int number; /* from 1 */
	struct end peer;
	struct buf have; /* received and not read */
	struct buf turn; /* received since the last answer */
	struct buf out;  /* to be said */
	int count[NSTEPS];
	int rcpts;
	bool over;
};

static void
record(struct session *s, const void *data, size_t n)
{
	if (s->server->record)
		append(s->server->record, data, n);
}

static void
end_turn(struct session *s)
{
	struct buf line = { 0 }, name = { 0 };

	if (s->server->record && s->turn.len > 0) {
		add_shown(&line, s->turn.p, s->turn.len);
		add(&line, "\n", 1);
		buf_printf(&name, "%s.reads", s->server->record);
		append(name.p, line.p, line.len);
	}
	buf_free(&line);
	buf_free(&name);
	buf_clear(&s->turn);
}

static void
flush(struct session *s)
{
	if (!s->over && s->out.len > 0 && end_send(&s->peer, s->out.p, s->out.len) < 0)
		s->over = true;
	buf_clear(&s->out);
}

/* Wait for more: what was to be said is said first, and that ends a turn. Returns whether the session goes on. */
static bool
fill(struct session *s)
{
	ssize_t got;

	if (s->out.len > 0) {
		end_turn(s);
		flush(s);
	}
	if (s->over || buf_room(&s->have, 1 << 20) < 0 ||
	    (got = end_receive(&s->peer, s->have.p + s->have.len, 1 << 20)) <= 0) {
		s->over = true;
		return false;
	}
	record(s, s->have.p + s->have.len, (size_t)got);
	if (s->server->record)
		add(&s->turn, s->have.p + s->have.len, (size_t)got);
	s->have.len += (size_t)got;
	return true;
}

/* Take a line; CR LF becomes NUL. Returns whether there is one. */
static bool
take_line(struct session *s, struct buf *line)
{
	char *end;

	buf_clear(line);
	while (!(end = find(&s->have, 0, "\r\n")))
		if (!fill(s))
			return false;
	add(line, s->have.p, (size_t)(end - s->have.p));
	add(line, "", 1);
	buf_consume(&s->have, line->len + 1);
	return true;
}

static void
until_closed(struct session *s)
{
	end_turn(s);
	flush(s);
	while (fill(s))
		buf_clear(&s->have);
}

/* The rule's part before "=" is key, for this session. Returns its action, or NULL. */
static const char *
action_if(const struct session *s, const char *rule, const char *key)
{
	const char *equals = strchr(rule, '='), *slash = memchr(rule, '/', (size_t)(equals - rule));

	if (slash) {
		if (atoi(rule) != s->number)
			return NULL;
		rule = slash + 1;
	}
	return (size_t)(equals - rule) == strlen(key) && strncmp(rule, key, strlen(key)) == 0 ? equals + 1 : NULL;
}

/* The action of the last rule with this key, or NULL. */
static const char *
action_of(const struct session *s, const char *key)
{
	const char *found = NULL, *action;

	for (char **rule = s->server->rules; *rule; rule++)
		if ((action = action_if(s, *rule, key)))
			found = action;
	return found;
}

/* The action of the first rule STEP:text whose text stands in the command, or NULL. */
static const char *
action_by_text(const struct session *s, const char *name, const char *command)
{
	char key[512];
	size_t n = strlen(name);

	for (char **rule = s->server->rules; *rule; rule++) {
		const char *equals = strchr(*rule, '='), *slash = memchr(*rule, '/', (size_t)(equals - *rule));
		const char *start = slash ? slash + 1 : *rule;

		if (strncmp(start, name, n) != 0 || start[n] != ':')
			continue;
		snprintf(key, sizeof key, "%.*s", (int)(equals - start), start);
		if (strstr(command, key + n + 1) && action_of(s, key))
			return action_of(s, key);
	}
	return NULL;
}

/* Append the answer to LHLO or EHLO. */
static void
add_offered(struct session *s, struct buf *text)
{
	const struct server *server = s->server;
	bool secure = s->peer.tls != NULL;
	const char *offer = secure && server->offer_tls ? server->offer_tls : server->offer;
	struct buf words = { 0 };
	const char *said = "test";
	char *rest;

	if (offer[0] == '@') {
		if (add_file(&words, offer + 1) < 0)
			die("lmtpd: %s", offer + 1);
		while (words.len > 0 && isspace((unsigned char)words.p[words.len - 1]))
			words.len--;
	} else {
		add(&words, offer, strlen(offer));
	}
	add(&words, "", 1);
	rest = words.p;
	for (char *word; (word = part(&rest, ','));) {
		if (*word == '\0' || (secure && strcmp(word, "STARTTLS") == 0))
			continue;
		buf_printf(text, "250-%s\\r\\n", said);
		said = word;
	}
	buf_printf(text, "250 %s", said);
	buf_free(&words);
}

/* Do one part of an action. Returns the class of its reply, 0 for none. */
static int
act_part(struct session *s, const char *text)
{
	if (strcmp(text, "close") == 0) {
		end_turn(s);
		flush(s);
		s->over = true;
	} else if (strcmp(text, "stall") == 0) {
		until_closed(s);
	} else if (strncmp(text, "sleep:", 6) == 0) {
		end_turn(s);
		flush(s);
		pause_for(atof(text + 6));
	} else if (strncmp(text, "raw:", 4) == 0) {
		add_octets(&s->out, text + 4);
	} else if (strncmp(text, "flood:", 6) == 0) {
		while (!s->over) {
			for (int i = 0; i < 100; i++)
				add_octets(&s->out, text + 6);
			flush(s);
		}
	} else if (*text) {
		add_octets(&s->out, text);
		add(&s->out, "\r\n", 2);
		return text[0] - '0';
	}
	return 0;
}

/* Do what the rule of a step says. Returns the class of its first reply, 0 for none. */
static int
act(struct session *s, const char *name, const char *command)
{
	struct buf text = { 0 };
	const char *action;
	char key[64], *rest;
	int said = 0, class, step = 0;

	while (strcmp(steps[step].name, name) != 0)
		step++;
	snprintf(key, sizeof key, "%s#%d", name, ++s->count[step]);
	if (!(action = action_of(s, key)) && !(action = action_by_text(s, name, command)) && !(action = action_of(s, name)))
		action = steps[step].action;
	if (action)
		add(&text, action, strlen(action));
	else if (strcmp(name, "GREETING") == 0)
		buf_puts(&text, s->server->smtp ? "220 test SMTP" : "220 test LMTP");
	else
		add_offered(s, &text);
	add(&text, "", 1);
	rest = text.p;
	for (char *one; !s->over && (one = part(&rest, '|'));) {
		class = act_part(s, one);
		said = said ? said : class;
	}
	buf_free(&text);
	return said;
}

static void
answer_each(struct session *s, const char *step)
{
	for (int i = s->server->smtp ? 1 : s->rcpts; i > 0 && !s->over; i--)
		act(s, step, "");
	s->rcpts = 0;
}

/* The step TEXT, once, if a rule has it. */
static void
act_early(struct session *s, bool *early)
{
	if (!*early || s->have.len < 100)
		return;
	*early = false;
	act(s, "TEXT", "");
	flush(s);
}

/* Read a text to its end. */
static void
take_text(struct session *s)
{
	bool early = action_of(s, "TEXT") != NULL;
	size_t searched = 0, size;
	char *end;

	for (;;) {
		act_early(s, &early);
		if (s->have.len >= 3 && memcmp(s->have.p, ".\r\n", 3) == 0) {
			size = 3;
			break;
		}
		if ((end = find(&s->have, searched, "\r\n.\r\n"))) {
			size = (size_t)(end - s->have.p) + 5;
			break;
		}
		searched = s->have.len > 4 ? s->have.len - 4 : 0;
		if (!fill(s))
			return;
	}
	buf_consume(&s->have, size);
}

static void
take_chunk(struct session *s, size_t size)
{
	bool early = action_of(s, "TEXT") != NULL;

	while (s->have.len < size) {
		act_early(s, &early);
		if (!fill(s))
			return;
	}
	buf_consume(&s->have, size);
}

static void
start_tls(struct session *s)
{
	act(s, "HANDSHAKE", "");
	end_turn(s);
	flush(s);
	if (s->over || end_start_tls(&s->peer, s->server->certificate) < 0) {
		s->over = true;
		return;
	}
	buf_clear(&s->have);
	record(s, "[TLS]\r\n", 7);
}

static void
command(struct session *s, const char *line)
{
	static const char *const simple[] = { "MAIL", "RCPT", "RSET", "QUIT", "HELO", "LHLO", "EHLO" };
	struct buf response = { 0 };
	char verb[16];
	size_t n = strcspn(line, " ");
	int said;

	snprintf(verb, sizeof verb, "%.*s", (int)(n < 15 ? n : 15), line);
	for (char *c = verb; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	if (strcmp(verb, "BDAT") == 0) {
		take_chunk(s, strtoul(line + n, NULL, 10));
		answer_each(s, "BDAT");
		return;
	}
	if (strcmp(verb, "DATA") == 0) {
		if (act(s, s->rcpts > 0 ? "DATA" : "EMPTY", "") == 3) {
			take_text(s);
			answer_each(s, "END");
		}
		return;
	}
	if (strcmp(verb, "STARTTLS") == 0) {
		if (act(s, "STARTTLS", "") == 2)
			start_tls(s);
		return;
	}
	if (strcmp(verb, "AUTH") == 0) {
		said = act(s, "AUTH", line);
		while (said == 3 && take_line(s, &response))
			said = act(s, "RESPONSE", response.p);
		buf_free(&response);
		return;
	}
	for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
		if (strcmp(verb, simple[i]) == 0 && (verb[1] != 'H' || (verb[0] == 'E') == s->server->smtp)) {
			said = act(s, verb, line);
			if (verb[1] == 'C' && said == 2)
				s->rcpts++;
			else if (verb[1] != 'C' && strcmp(verb, "QUIT") != 0 && strcmp(verb, "HELO") != 0)
				s->rcpts = 0;
			return;
		}
	buf_puts(&s->out, "500 5.5.2 What?\r\n");
}

static void
serve(const struct server *server, int fd, int number)
{
	struct session s = { .server = server, .number = number, .peer = { .in = fd, .out = fd, .seconds = 3600 } };
	struct buf line = { 0 };

	if (server->tls)
		start_tls(&s);
	if (!s.over) {
		act(&s, "GREETING", "");
		flush(&s);
	}
	while (!s.over && take_line(&s, &line))
		command(&s, line.p);
	end_turn(&s);
	end_close(&s.peer);
	buf_free(&line);
	buf_free(&s.have);
	buf_free(&s.turn);
	buf_free(&s.out);
}

int
main(int argc, char *argv[])
{
	struct server server = { .offer = "PIPELINING,8BITMIME,ENHANCEDSTATUSCODES" };
	const char *path = NULL;
	int sessions = 1, limit = 120, option, listening;

	while ((option = getopt(argc, argv, "c:e:E:in:r:st:u:")) != -1)
		switch (option) {
		case 'c':
			server.certificate = optarg;
			break;
		case 'e':
			server.offer = optarg;
			break;
		case 'E':
			server.offer_tls = optarg;
			break;
		case 'i':
			server.tls = true;
			break;
		case 'n':
			sessions = atoi(optarg);
			break;
		case 'r':
			server.record = optarg;
			break;
		case 's':
			server.smtp = true;
			break;
		case 't':
			limit = atoi(optarg);
			break;
		case 'u':
			path = optarg;
			break;
		default:
			return 1;
		}
	server.rules = argv + optind;
	for (char **rule = server.rules; *rule; rule++)
		if (!strchr(*rule, '='))
			die("lmtpd: what is %s?", *rule);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)limit);
	listening = listen_and_tell(path);
	for (int number = 1; number <= sessions; number++)
		serve(&server, next_connection(listening), number);
	if (path)
		unlink(path);
	return 0;
}
