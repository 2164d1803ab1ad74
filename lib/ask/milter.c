/* ISC licence, see LICENSE. */
#include "ask/milter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ask/contact.h"
#include "base/clock.h"

enum {
	READ_OCTETS = 16384, /* at once */
	REPLY_LINE = 512,    /* octets of a reply's line, RFC 5321 4.5.3.1.5; the rest is cut off */
	QUIT_MS = 100,       /* for the last words, which may be lost */
};

static enum milter_result
fail(struct milter *m, const char *why)
{
	m->why = why;
	return MILTER_FAILED;
}

static enum milter_result
fail_io(struct milter *m)
{
	return fail(m, errno == ETIMEDOUT ? "no answer until the deadline" : strerror(errno));
}

/* Write m->out. Returns MILTER_CONTINUE or MILTER_FAILED. */
static enum milter_result
flush(struct milter *m)
{
	int r = contact_write(m->fd, m->out.p, m->out.len, m->deadline_ms);

	buf_clear(&m->out);
	return r < 0 ? fail_io(m) : MILTER_CONTINUE;
}

/* Hear the next packet that is not a sign of progress. It is valid until the next call. */
static enum milter_result
hear(struct milter *m, struct packet *p)
{
	ssize_t n, r;

	do {
		buf_consume(&m->in, m->used);
		m->used = 0;
		while ((n = packet_find(p, m->in.p, m->in.len)) == 0) {
			if (buf_room(&m->in, READ_OCTETS) < 0)
				return fail_io(m);
			r = contact_read(m->fd, m->in.p + m->in.len, READ_OCTETS, m->deadline_ms);
			if (r < 0)
				return fail_io(m);
			if (r == 0)
				return fail(m, "connection closed");
			m->in.len += (size_t)r;
		}
		if (n < 0)
			return fail(m, "a packet that is empty or too long");
		if (++m->packets > MILTER_PACKETS_MAX)
			return fail(m, "too many packets");
		if (clock_left(m->deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return fail_io(m);
		}
		m->used = (size_t)n;
	} while (p->letter == ANSWER_PROGRESS);
	return MILTER_CONTINUE;
}

/* Keep the names of the macros that the milter wants at a stage. */
static enum milter_result
keep_wanted(struct milter *m, struct packet *p)
{
	const char *names;
	uint32_t stage;

	while (p->len > 0) {
		if (packet_take_number(p, &stage) < 0 || packet_take_string(p, &names) < 0)
			return fail(m, "an invalid list of macros");
		if (stage >= MILTER_STAGES)
			continue;
		if (strlen(names) > MILTER_MACROS_MAX)
			return fail(m, "too long a list of macros");
		free(m->wanted[stage]);
		m->wanted[stage] = strdup(names);
		if (!m->wanted[stage])
			return fail_io(m);
	}
	return MILTER_CONTINUE;
}

enum milter_result
milter_agree(struct milter *m, struct packet *p)
{
	struct packet_agreed *a = &m->agreed;

	if (p->letter != PACKET_OPTIONS || packet_take_number(p, &a->version) < 0 || packet_take_number(p, &a->actions) < 0 ||
	    packet_take_number(p, &a->steps) < 0)
		return fail(m, "not a milter: no options");
	if (a->version < PACKET_VERSION_MIN || a->version > PACKET_VERSION)
		return fail(m, "another version of the protocol");
	if (a->actions & ~(uint32_t)ACTION_ALL)
		return fail(m, "wants actions that were not offered");
	if (a->steps & ~(uint32_t)STEP_OFFERED)
		return fail(m, "wants steps that were not offered");
	return keep_wanted(m, p);
}

enum milter_result
milter_negotiate(struct milter *m)
{
	struct packet p;

	if (packet_begin(&m->out, (enum packet_command)PACKET_OPTIONS) < 0 || packet_number(&m->out, PACKET_VERSION) < 0 ||
	    packet_number(&m->out, ACTION_ALL) < 0 || packet_number(&m->out, STEP_OFFERED) < 0)
		return fail_io(m);
	packet_end(&m->out, 0);
	if (flush(m) == MILTER_FAILED || hear(m, &p) == MILTER_FAILED)
		return MILTER_FAILED;
	return milter_agree(m, &p);
}

bool
milter_wants(const struct milter *m, enum milter_stage stage, const char *name, const char *usual)
{
	const char *list = m->wanted[stage] ? m->wanted[stage] : usual;
	size_t n, len = strlen(name);

	for (list += strspn(list, " \t,"); *list; list += n, list += strspn(list, " \t,")) {
		n = strcspn(list, " \t,");
		if (n == len && memcmp(list, name, n) == 0)
			return true;
		/* "{j}" is "j" */
		if (n == len + 2 && *list == '{' && list[n - 1] == '}' && memcmp(list + 1, name, len) == 0)
			return true;
	}
	return false;
}

/* Copy text for a reply, in which milters double "%" because sendmail's uses it as a format. Returns the length. */
static size_t
undouble(char to[REPLY_LINE], const char *from, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < n && len < REPLY_LINE; i++) {
		to[len++] = from[i];
		if (from[i] == '%' && i + 1 < n && from[i + 1] == '%')
			i++;
	}
	return len;
}

/* Parse the reply of ANSWER_REPLYCODE, one or more lines. */
static enum milter_result
judge_replycode(struct milter *m, const struct packet *answer, struct reply_foreign *reply)
{
	struct packet p = *answer;
	const char *line, *text;
	char plain[REPLY_LINE];
	size_t n, len;
	bool last = false;
	int code;

	if (packet_take_string(&p, &line) < 0)
		return fail(m, "a reply without an end");
	while (!last) {
		n = strcspn(line, "\r\n");
		if (!reply_line(line, n, &code, &last, &text, &len) || code < 400 || code > 599)
			return fail(m, "a reply that is not one of SMTP's of class 4 or 5");
		if (reply_take(reply, code, plain, undouble(plain, text, len)) < 0)
			return errno == ENOMEM ? fail_io(m) : fail(m, "a reply with different codes");
		line += n;
		line += *line == '\r';
		line += *line == '\n';
		if (!*line) /* some leave the last line's sign out */
			last = true;
	}
	if (!*reply->enhanced)
		memcpy(reply->enhanced, reply->code < 500 ? "4.7.1" : "5.7.1", sizeof "4.7.1");
	return MILTER_REFUSE;
}

static enum milter_result
refuse(struct milter *m, struct reply_foreign *reply, int code, const char *enhanced, const char *text)
{
	if (reply_take(reply, code, text, strlen(text)) < 0)
		return fail_io(m);
	memcpy(reply->enhanced, enhanced, strlen(enhanced) + 1);
	return MILTER_REFUSE;
}

enum milter_result
milter_judge(struct milter *m, const struct packet *p, struct reply_foreign *reply)
{
	reply_foreign_free(reply);
	switch (p->letter) {
	case ANSWER_CONTINUE:
		return MILTER_CONTINUE;
	case ANSWER_ACCEPT:
		return MILTER_ACCEPT;
	case ANSWER_DISCARD:
		return MILTER_DISCARD;
	case ANSWER_SKIP:
		return m->agreed.steps & STEP_SKIP ? MILTER_SKIP : fail(m, "skip, which was not agreed on");
	case ANSWER_REJECT:
		return refuse(m, reply, 550, "5.7.1", "Refused by site policy");
	case ANSWER_TEMPFAIL:
	case ANSWER_CONNECTION_FAILS:
	case ANSWER_SHUTDOWN:
		return refuse(m, reply, 451, "4.7.1", "Refused by site policy for now, try again later");
	case ANSWER_REPLYCODE:
		return judge_replycode(m, p, reply);
	default:
		return fail(m, "an answer that does not belong there");
	}
}

enum milter_result
milter_say(struct milter *m, uint32_t no_reply, struct reply_foreign *reply)
{
	struct packet p;

	if (flush(m) == MILTER_FAILED)
		return MILTER_FAILED;
	if (m->agreed.steps & no_reply)
		return MILTER_CONTINUE;
	return hear(m, &p) == MILTER_FAILED ? MILTER_FAILED : milter_judge(m, &p, reply);
}

enum milter_result
milter_change(struct milter *m, struct packet *p, struct reply_foreign *reply)
{
	enum milter_result r;

	if (flush(m) == MILTER_FAILED || hear(m, p) == MILTER_FAILED)
		return MILTER_FAILED;
	if (p->letter != '\0' && strchr("himeb+2-q", p->letter))
		return MILTER_CHANGE;
	r = milter_judge(m, p, reply);
	return r == MILTER_SKIP ? fail(m, "an answer that does not belong there") : r;
}

void
milter_quit(struct milter *m, bool abort)
{
	size_t start = 0;
	int r = 0;

	buf_clear(&m->out);
	if (abort && (r = packet_begin(&m->out, PACKET_ABORT)) == 0)
		packet_end(&m->out, 0);
	start = m->out.len;
	if (r == 0 && packet_begin(&m->out, PACKET_QUIT) == 0) {
		packet_end(&m->out, start);
		contact_write(m->fd, m->out.p, m->out.len, clock_ms() + QUIT_MS);
	}
}

void
milter_free(struct milter *m)
{
	size_t i;

	for (i = 0; i < MILTER_STAGES; i++)
		free(m->wanted[i]);
	buf_free(&m->in);
	buf_free(&m->out);
}
