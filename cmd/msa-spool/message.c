/* ISC licence, see LICENSE. */
#include "message.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

const char *const state_name[STATES] = { "new", "waiting", "refused", "held", "returning", "damaged" };

enum { PATTERN_ROOM = 1024 }; /* octets of a text that a pattern is compared with */

static enum state
state_of(const struct message *m, const struct spool *s)
{
	const char *sub = spoollist_sub(&m->item);

	if (m->why)
		return STATE_DAMAGED;
	if (spool_has_mark(s, sub, m->item.id, SPOOL_RETURN) && !m->m.is_report)
		return STATE_RETURNING;
	if (spool_has_mark(s, sub, m->item.id, SPOOL_HOLD))
		return STATE_HELD;
	if (m->m.next == SPOOLREC_NEVER && !m->hastened)
		return STATE_REFUSED;
	return m->item.is_new ? STATE_NEW : STATE_WAITING;
}

int
message_load(struct message *m, const struct spool *s, const struct spoollist_item *i)
{
	*m = (struct message){ .item = *i };
	if (spoollist_load(s, &m->item, &m->m, NULL, &m->why) < 0) {
		if (!spoollist_is_there(s, &m->item))
			return -1;
	} else {
		m->why = NULL;
		m->size = spool_size(s, spoollist_sub(&m->item), m->item.id);
		if (m->size < 0) {
			m->size = 0;
			m->why = "message cannot be read";
		}
	}
	m->hastened = spool_has_mark(s, spoollist_sub(&m->item), m->item.id, SPOOL_TRY);
	m->state = state_of(m, s);
	return 0;
}

/* Returns true if the n octets at text match the pattern, whatever the case. A NULL pattern matches everything. */
static bool
is_like(const char *pattern, const char *text, size_t n)
{
	char lower[2][PATTERN_ROOM], *p;
	size_t i;

	if (!pattern)
		return true;
	snprintf(lower[0], PATTERN_ROOM, "%s", pattern);
	snprintf(lower[1], PATTERN_ROOM, "%.*s", (int)(n < PATTERN_ROOM ? n : PATTERN_ROOM), text);
	for (i = 0; i < 2; i++)
		for (p = lower[i]; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
	return fnmatch(lower[0], lower[1], 0) == 0;
}

/* Returns true if a recipient waits whose address and last reply match. */
static bool
has_rcpt(const struct message *m, const struct filter *f)
{
	char line[REPLY_SHOWN_MAX];
	size_t i;

	for (i = 0; i < m->m.envelope.nrcpt; i++) {
		const struct spoolrec_rcpt *r = &m->m.rcpt[i];
		const struct envelope_line *l = &m->m.envelope.rcpt[i];
		const char *reply = r->reply.code ? reply_show(&r->reply, line) : "";

		if (r->state == SPOOLREC_WAITING && is_like(f->rcpt, l->path, l->path_len) &&
		    is_like(f->answer, reply, strlen(reply)))
			return true;
	}
	return false;
}

bool
message_matches(const struct message *m, const struct filter *f, time_t now)
{
	const char *user = facts_get(&m->m.facts, "SMTPAUTHUSER");

	if (f->state != STATES && f->state != m->state)
		return false;
	if (m->why)
		return !f->answer && !f->from && !f->rcpt && !f->user && !f->older_s;
	return now - m->m.arrival >= f->older_s && is_like(f->from, m->m.envelope.mail.path, m->m.envelope.mail.path_len) &&
	    is_like(f->user, user ? user : "", user ? strlen(user) : 0) && ((!f->rcpt && !f->answer) || has_rcpt(m, f));
}

/* Print " key=value" as the log does, chain-log(7): in quotes, with \xHH, unless it is a plain word. */
static void
put(const char *key, const char *value, size_t n)
{
	size_t i;
	bool plain = n > 0;

	for (i = 0; i < n; i++)
		plain &= value[i] > ' ' && value[i] <= '~' && value[i] != '"' && value[i] != '\\';
	printf(" %s=%s", key, plain ? "" : "\"");
	for (i = 0; i < n; i++)
		if (value[i] < ' ' || value[i] > '~' || value[i] == '"' || value[i] == '\\')
			printf("\\x%02x", (unsigned char)value[i]);
		else
			putchar(value[i]);
	if (!plain)
		putchar('"');
}

static void
put_fact(const struct message *m, const char *key, const char *name)
{
	const char *value = facts_get(&m->m.facts, name);

	if (value)
		put(key, value, strlen(value));
}

static void
put_reply(const struct reply_foreign *r)
{
	char line[REPLY_SHOWN_MAX];

	if (!r->code)
		return;
	reply_show(r, line);
	put("reply", line, strlen(line));
}

void
message_print(const struct message *m, const char *word, time_t now)
{
	const struct envelope_line *mail = &m->m.envelope.mail, *rcpt = NULL;
	const struct reply_foreign *reply = NULL;
	size_t i, left = 0;

	printf("%s %s", m->item.id, word);
	if (m->why) {
		put("reason", m->why, strlen(m->why));
		putchar('\n');
		return;
	}
	for (i = 0; i < m->m.envelope.nrcpt; i++)
		if (m->m.rcpt[i].state == SPOOLREC_WAITING) {
			left++;
			rcpt = rcpt ? rcpt : &m->m.envelope.rcpt[i];
			if (!reply && m->m.rcpt[i].reply.code)
				reply = &m->m.rcpt[i].reply;
		}
	printf(" age=%lld", (long long)(now - m->m.arrival));
	if (m->state == STATE_RETURNING || (m->hastened && m->state != STATE_HELD))
		printf(" next=0");
	else if (m->state == STATE_HELD || m->m.next == SPOOLREC_NEVER)
		printf(" next=-");
	else
		printf(" next=%lld", (long long)(m->m.next > now ? m->m.next - now : 0));
	printf(" tried=%u size=%lld left=%zu/%zu", m->m.tried, (long long)m->size, left, m->m.envelope.nrcpt);
	if (m->m.is_report)
		printf(" kind=report");
	put_fact(m, "message", "MSA_MESSAGE");
	put_fact(m, "user", "SMTPAUTHUSER");
	put("from", mail->path, mail->path_len);
	if (rcpt)
		put("rcpt", rcpt->path, rcpt->path_len);
	if (reply)
		put_reply(reply);
	putchar('\n');
}

void
message_print_rcpts(const struct message *m)
{
	static const char *const word[] = { "waiting", "reached", "failed" };
	size_t i;

	for (i = 0; i < m->m.envelope.nrcpt; i++) {
		const struct envelope_line *l = &m->m.envelope.rcpt[i];

		printf("%s rcpt state=%s", m->item.id, word[m->m.rcpt[i].state]);
		put("rcpt", l->path, l->path_len);
		put_reply(&m->m.rcpt[i].reply);
		putchar('\n');
	}
}
