/* ISC licence, see LICENSE. */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/program.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "net/ipaddr.h"

enum {
	VALUE_MAX = 600,              /* octets of a macro that is made here */
	BODY_MAX = 1073741824,        /* octets of a new body where DATABYTES sets no limit */
};

/* Macros */

/* Those that are a fact; the others are made in value_of. */
static const struct {
	const char *name, *fact;
} of_facts[] = {
	{ "{client_addr}", "TCPREMOTEIP" },
	{ "{client_port}", "TCPREMOTEPORT" },
	{ "{daemon_addr}", "TCPLOCALIP" },
	{ "{daemon_port}", "TCPLOCALPORT" },
	{ "{tls_version}", "SSL_PROTOCOL" },
	{ "{cipher}", "SSL_CIPHER" },
	{ "{cipher_bits}", "SSL_CIPHER_USEKEYSIZE" },
	{ "{cert_subject}", "SSL_PEER_CERT_SUBJECT" },
	{ "{auth_type}", "SMTPAUTHMETHOD" },
	{ "{auth_authen}", "SMTPAUTHUSER" },
	{ "i", "MSA_MESSAGE" },
};

static const char *const made[] = { "j", "v", "_", "{daemon_name}", "{client_name}", "{client_ptr}", "{mail_addr}",
	"{mail_host}", "{mail_mailer}", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}" };

/* What a milter gets that does not say what it wants: what Postfix gives, and the client's address. */
static const char *const usual[MILTER_STAGES] = {
	[MILTER_AT_CONNECT] = "j {daemon_name} {daemon_addr} {client_addr} {client_name} {client_ptr} {client_port} v _",
	[MILTER_AT_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject}",
	[MILTER_AT_MAIL] = "i {auth_type} {auth_authen} {mail_addr} {mail_host} {mail_mailer}",
	[MILTER_AT_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
	[MILTER_AT_DATA] = "i",
	[MILTER_AT_END_OF_HEADER] = "i",
	[MILTER_AT_END] = "i",
};

static const char *
fact_or(const struct talk *t, const char *name, const char *otherwise)
{
	const char *value = facts_get(&t->call->facts, name);

	return value && *value ? value : otherwise;
}

/* Returns the value of a macro that is made here, in room, or NULL: none now. path is the address in question. */
static const char *
value_of(const struct talk *t, const char *name, const char *path, size_t n, char room[VALUE_MAX])
{
	const char *at;

	if (strcmp(name, "j") == 0)
		return offer_host(&t->call->facts, room, VALUE_MAX);
	if (strcmp(name, "v") == 0)
		snprintf(room, VALUE_MAX, "ucspi-msa %s", program_version);
	else if (strcmp(name, "_") == 0)
		snprintf(room, VALUE_MAX, "%s [%s]", fact_or(t, "TCPREMOTEHOST", "unknown"), fact_or(t, "TCPREMOTEIP", "127.0.0.1"));
	else if (strcmp(name, "{daemon_name}") == 0)
		return t->daemon;
	else if (strncmp(name, "{client_", strlen("{client_")) == 0)
		return fact_or(t, "TCPREMOTEHOST", "unknown");
	else if (!path)
		return NULL;
	else if (strstr(name, "_mailer"))
		return "smtp";
	else if (strstr(name, "_addr"))
		snprintf(room, VALUE_MAX, "%.*s", (int)n, path);
	else {
		for (at = path + n; at > path && at[-1] != '@'; at--)
			;
		snprintf(room, VALUE_MAX, "%.*s", (int)(path + n - at), at);
	}
	return room;
}

static int
add_macro(struct talk *t, enum milter_stage stage, const char *name, const char *value)
{
	if (!value || !*value || !milter_wants(&t->milter, stage, name, usual[stage]))
		return 0;
	return packet_string(&t->milter.out, name, strlen(name)) < 0 ||
	    packet_string(&t->milter.out, value, strlen(value)) < 0 ? -1 : 0;
}

/* Add the macros of a stage, for a command about path (NULL: none). Returns 0, or -1 with errno set (ENOMEM). */
static int
add_macros(struct talk *t, enum milter_stage stage, enum packet_command command, const char *path, size_t n)
{
	struct buf *out = &t->milter.out;
	const bool is_mail = stage == MILTER_AT_MAIL, is_user = facts_is_authenticated(&t->call->facts);
	size_t start = out->len, head, i;
	char letter = (char)command, room[VALUE_MAX];
	int r = packet_begin(out, PACKET_MACROS) < 0 || buf_add(out, &letter, 1) < 0 ? -1 : 0;

	head = out->len;
	for (i = 0; r == 0 && i < sizeof of_facts / sizeof *of_facts; i++)
		if (is_user || strncmp(of_facts[i].name, "{auth", strlen("{auth")) != 0)
			r = add_macro(t, stage, of_facts[i].name, facts_get(&t->call->facts, of_facts[i].fact));
	for (i = 0; r == 0 && i < sizeof made / sizeof *made; i++) {
		bool fits = strncmp(made[i], is_mail ? "{rcpt" : "{mail", strlen("{mail")) != 0;

		r = add_macro(t, stage, made[i], value_of(t, made[i], fits ? path : NULL, n, room));
	}
	if (r == 0 && out->len > head)
		packet_end(out, start);
	else
		out->len = start;
	return r;
}

/* The steps. Each returns what the milter answers, or MILTER_FAILED with milter.why set. */

static enum milter_result
no_memory(struct talk *t)
{
	t->milter.why = strerror(errno);
	return MILTER_FAILED;
}

/* Send the packet that begins at offset start, and hear the answer. r is -1 with errno set if it is incomplete. */
static enum milter_result
say(struct talk *t, int r, size_t start, uint32_t no_reply)
{
	if (r < 0)
		return no_memory(t);
	packet_end(&t->milter.out, start);
	return milter_say(&t->milter, no_reply, &t->reply);
}

static bool
is_left_out(const struct talk *t, uint32_t step)
{
	return t->milter.agreed.steps & step;
}

/* A message cannot be discarded before it has begun. */
static enum milter_result
not_discarded(struct talk *t, enum milter_result r)
{
	if (r != MILTER_DISCARD)
		return r;
	t->milter.why = "an answer that does not belong there";
	return MILTER_FAILED;
}

static enum milter_result
say_connect(struct talk *t)
{
	struct buf *out = &t->milter.out;
	const char *ip = fact_or(t, "TCPREMOTEIP", "127.0.0.1"), *name = fact_or(t, "TCPREMOTEHOST", "unknown");
	char octets[3] = "4";
	long long port = facts_number(&t->call->facts, "TCPREMOTEPORT", 0);
	struct ipaddr a;
	size_t start;
	int r;

	if (is_left_out(t, STEP_NO_CONNECT))
		return MILTER_CONTINUE;
	if (!facts_get(&t->call->facts, "TCPREMOTEIP")) /* of submit(8) or spoold(8): no connection brought it */
		name = "localhost";
	if (add_macros(t, MILTER_AT_CONNECT, PACKET_CONNECT, NULL, 0) < 0)
		return no_memory(t);
	start = out->len;
	r = packet_begin(out, PACKET_CONNECT) < 0 || packet_string(out, name, strlen(name)) < 0 ? -1 : 0;
	if (ipaddr_parse_zoned(&a, ip) < 0)
		r = r < 0 || buf_puts(out, "U") < 0 ? -1 : 0;
	else {
		octets[0] = ipaddr_is_v4(&a) ? '4' : '6';
		octets[1] = (char)(port >> 8 & 0xff);
		octets[2] = (char)(port & 0xff);
		r = r < 0 || buf_add(out, octets, sizeof octets) < 0 || (*octets == '6' && buf_puts(out, "IPv6:") < 0) ||
		    packet_string(out, ip, strlen(ip)) < 0 ? -1 : 0;
	}
	return not_discarded(t, say(t, r, start, STEP_NR_CONNECT));
}

static enum milter_result
say_helo(struct talk *t)
{
	struct buf *out = &t->milter.out;
	const char *helo = facts_get(&t->call->facts, "MSA_HELO");
	size_t start;

	if (is_left_out(t, STEP_NO_HELO) || !helo)
		return MILTER_CONTINUE;
	if (add_macros(t, MILTER_AT_HELO, PACKET_HELO, NULL, 0) < 0)
		return no_memory(t);
	start = out->len;
	return not_discarded(t, say(t, packet_begin(out, PACKET_HELO) < 0 ? -1 : packet_string(out, helo, strlen(helo)), start,
	    STEP_NR_HELO));
}

/* Add a path in brackets, and each parameter. */
static int
add_path(struct buf *out, const struct envelope_line *l)
{
	const char *p = l->params;
	size_t n;

	if (buf_puts(out, "<") < 0 || buf_add(out, l->path, l->path_len) < 0 || buf_add(out, ">", 2) < 0)
		return -1;
	for (; *p; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (packet_string(out, p, n) < 0)
			return -1;
	}
	return 0;
}

static enum milter_result
say_path(struct talk *t, enum milter_stage stage, enum packet_command command, const struct envelope_line *l,
    uint32_t no_reply)
{
	struct buf *out = &t->milter.out;
	size_t start;

	if (add_macros(t, stage, command, l->path, l->path_len) < 0)
		return no_memory(t);
	start = out->len;
	return say(t, packet_begin(out, command) < 0 ? -1 : add_path(out, l), start, no_reply);
}

static enum milter_result
say_mail(struct talk *t)
{
	if (is_left_out(t, STEP_NO_MAIL))
		return MILTER_CONTINUE;
	return say_path(t, MILTER_AT_MAIL, PACKET_MAIL, &t->envelope->mail, STEP_NR_MAIL);
}

/* A refusal is that recipient's alone. */
static enum milter_result
say_rcpts(struct talk *t)
{
	enum milter_result r = MILTER_CONTINUE;
	size_t i;

	for (i = 0; !is_left_out(t, STEP_NO_RCPT) && i < t->envelope->nrcpt && r == MILTER_CONTINUE; i++) {
		if (t->envelope->rcpt[i].kind != ENVELOPE_RCPT)
			continue;
		r = say_path(t, MILTER_AT_RCPT, PACKET_RCPT, &t->envelope->rcpt[i], STEP_NR_RCPT);
		if (r == MILTER_REFUSE) {
			t->refused[i] = t->reply;
			t->reply = (struct reply_foreign){ .code = 0 };
			t->nrefused++;
			r = MILTER_CONTINUE;
		}
	}
	return r;
}

/* Say a command without data. */
static enum milter_result
say_alone(struct talk *t, enum milter_stage stage, enum packet_command command, uint32_t no_reply)
{
	size_t start;

	if (add_macros(t, stage, command, NULL, 0) < 0)
		return no_memory(t);
	start = t->milter.out.len;
	return say(t, packet_begin(&t->milter.out, command), start, no_reply);
}

static enum milter_result
say_data(struct talk *t)
{
	if (is_left_out(t, STEP_NO_DATA) || t->milter.agreed.version < 4)
		return MILTER_CONTINUE;
	return say_alone(t, MILTER_AT_DATA, PACKET_DATA, STEP_NR_DATA);
}

/* Add a field's value: lines end with LF, as in sendmail. */
static int
add_value(struct buf *out, const char *p, size_t n)
{
	size_t i, from = 0;

	for (i = 0; i < n; i++)
		if (p[i] == '\r') {
			if (buf_add(out, p + from, i - from) < 0)
				return -1;
			from = i + 1;
		}
	return buf_add(out, p + from, n - from) < 0 ? -1 : buf_add(out, "", 1);
}

static enum milter_result
say_header(struct talk *t)
{
	struct buf *out = &t->milter.out;
	const char *text = t->header->text.p;
	enum milter_result r = MILTER_CONTINUE;
	struct field f;
	size_t pos = 0;

	while (!is_left_out(t, STEP_NO_HEADER) && r == MILTER_CONTINUE &&
	    header_next(text, t->header->text.len, &pos, &f) > 0) {
		size_t value = f.value;

		if (!is_left_out(t, STEP_LEADING_SPACE) && value < f.end && (text[value] == ' ' || text[value] == '\t'))
			value++;
		if (packet_begin(out, PACKET_HEADER) < 0 || packet_string(out, text + f.name, f.name_end - f.name) < 0 ||
		    add_value(out, text + value, f.end - value) < 0)
			return no_memory(t);
		if (out->len > PACKET_DATA_MAX) {
			t->why = "a header field is too long for a milter";
			return MILTER_SKIP;
		}
		r = say(t, 0, 0, STEP_NR_HEADER);
	}
	return r;
}

static enum milter_result
say_end_of_header(struct talk *t)
{
	if (is_left_out(t, STEP_NO_END_OF_HEADER))
		return MILTER_CONTINUE;
	return say_alone(t, MILTER_AT_END_OF_HEADER, PACKET_END_OF_HEADER, STEP_NR_END_OF_HEADER);
}

static enum milter_result
say_body(struct talk *t)
{
	struct buf *out = &t->milter.out;
	enum milter_result r = MILTER_CONTINUE;
	long long at = (long long)t->header->text.len + 2; /* after the empty line */
	size_t n;

	for (; !is_left_out(t, STEP_NO_BODY) && at < t->size && r == MILTER_CONTINUE; at += (long long)n) {
		n = t->size - at < PACKET_DATA_MAX ? (size_t)(t->size - at) : PACKET_DATA_MAX;
		if (packet_begin(out, PACKET_BODY) < 0 || buf_room(out, n) < 0 ||
		    file_read(t->call->in, out->p + out->len, n, (off_t)at) < 0)
			return no_memory(t);
		out->len += n;
		r = say(t, 0, 0, STEP_NR_BODY);
	}
	return r == MILTER_SKIP ? MILTER_CONTINUE : r;
}

/* Say the end, and take all changes. MILTER_CONTINUE and MILTER_ACCEPT are the same here. */
static enum milter_result
say_end(struct talk *t)
{
	enum milter_result r;
	struct packet p;
	size_t start;

	if (add_macros(t, MILTER_AT_END, PACKET_END, NULL, 0) < 0)
		return no_memory(t);
	start = t->milter.out.len;
	if (packet_begin(&t->milter.out, PACKET_END) < 0)
		return no_memory(t);
	packet_end(&t->milter.out, start);
	while ((r = milter_change(&t->milter, &p, &t->reply)) == MILTER_CHANGE)
		if (changes_take(&t->changes, &p) < 0) {
			t->milter.why = t->changes.why ? t->changes.why : strerror(errno);
			return MILTER_FAILED;
		}
	return r;
}

/* Returns true if a recipient is left that neither the milter nor an earlier stage has refused. */
static bool
anybody_left(const struct talk *t)
{
	size_t i;

	for (i = 0; i < t->envelope->nrcpt; i++)
		if (t->envelope->rcpt[i].kind == ENVELOPE_RCPT && !t->refused[i].code)
			return true;
	return false;
}

static enum talk_result
conclude(struct talk *t, enum milter_result r, bool at_end)
{
	switch (r) {
	case MILTER_CONTINUE:
		return TALK_DONE;
	case MILTER_ACCEPT:
		return at_end ? TALK_DONE : TALK_ACCEPTED;
	case MILTER_REFUSE:
		return TALK_REFUSED;
	case MILTER_DISCARD:
		return TALK_DISCARDED;
	default:
		if (!t->why)
			t->why = t->milter.why ? t->milter.why : "an answer that does not belong there";
		return TALK_FAILED;
	}
}

enum talk_result
talk(struct talk *t, int fd, int64_t deadline_ms)
{
	static enum milter_result (*const steps[])(struct talk *) = { say_connect, say_helo, say_mail, say_rcpts, say_data,
		say_header, say_end_of_header, say_body, say_end };
	const size_t n = sizeof steps / sizeof *steps;
	long long databytes = facts_number(&t->call->facts, "DATABYTES", 0);
	enum milter_result r;
	size_t i;

	t->milter.fd = fd;
	t->milter.deadline_ms = deadline_ms;
	t->refused = calloc(t->envelope->nrcpt, sizeof *t->refused);
	if (!t->refused)
		return conclude(t, no_memory(t), false);
	if (changes_begin(&t->changes, t->header, &t->milter.agreed) < 0) {
		t->why = t->changes.why ? t->changes.why : strerror(ENOMEM);
		return t->changes.why ? TALK_BAD : TALK_FAILED;
	}
	t->changes.body_max = databytes > 0 ? databytes : BODY_MAX;
	r = milter_negotiate(&t->milter);
	for (i = 0; i < n && r == MILTER_CONTINUE; i++) {
		r = steps[i](t);
		if (r == MILTER_CONTINUE && steps[i] == say_rcpts && !anybody_left(t)) {
			milter_quit(&t->milter, true);
			return TALK_NOBODY;
		}
	}
	if (r != MILTER_FAILED)
		milter_quit(&t->milter, i < n);
	if (r == MILTER_SKIP && t->why)
		return TALK_BAD;
	return conclude(t, r, i == n);
}

void
talk_free(struct talk *t)
{
	size_t i;

	for (i = 0; t->refused && i < t->envelope->nrcpt; i++)
		reply_foreign_free(&t->refused[i]);
	free(t->refused);
	reply_foreign_free(&t->reply);
	milter_free(&t->milter);
	changes_free(&t->changes);
}
