/* ISC licence, see LICENSE. */
#include "submit/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "smtp/chunk.h"
#include "stage/run.h"
#include "submit/pace.h"

enum {
	CHECK_S = 30, /* for the check at RCPT; a client waits 5 minutes (RFC 5321 4.5.3.2.3), and may have many */
	SHORT_ANSWER = 80, /* octets: enough for "Ok, message ID", for a refusal without text, and for REPLY_EACH */
};

int
transaction_say(struct transaction *i, enum verb to, enum reply r)
{
	if (reply_add_to(&i->conn->out, to, r) == 0)
		return 0;
	return lineio_flush(i->conn, i->conf->command_wait_s * 1000) < 0 ? -1 : reply_add_to(&i->conn->out, to, r);
}

void
transaction_forget(struct transaction *i)
{
	mailcmd_reset(&i->mail);
	msgfile_free(&i->text);
	i->data = (struct smtpdata){ .mend = i->conf->mend, .line_max = (size_t)i->conf->line_max };
	i->spoilt = REPLY_OK;
	i->failed = false;
}

/*
 * Write the log line of a message: the code that the client gets, and the reason (NULL: none). start_ms: when the chain
 * was started; 0: it was not. Texts that a peer chose come last, so that they cannot push the rest off the end of the
 * line.
 */
static void
log_message(struct transaction *i, const char *event, int code, const char *reason, off_t size, int64_t start_ms)
{
	const struct facts *f = &i->call->facts;
	char rcpts[24], octets[24], ms[24], digits[12];

	snprintf(rcpts, sizeof rcpts, "%zu", i->mail.nrcpt);
	snprintf(octets, sizeof octets, "%lld", (long long)size);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start_ms));
	snprintf(digits, sizeof digits, "%d", code);
	log_event(&i->call->log, event, "user", facts_get(f, "SMTPAUTHUSER"), "mech", facts_get(f, "SMTPAUTHMETHOD"), "ip",
	    facts_get(f, "TCPREMOTEIP"), "tls", facts_get(f, "SSL_PROTOCOL"), "cipher", facts_get(f, "SSL_CIPHER"),
	    "rcpts", rcpts, "size", start_ms ? octets : NULL, "code", digits, "ms", start_ms ? ms : NULL, "from",
	    i->mail.from.text, "reason", reason, (char *)NULL);
	i->logged = true;
}

/* Append the answer to one recipient, or to the message: worst (without its text if brief), or NULL: accepted. */
static int
add_one(struct buf *out, const struct reply_foreign *worst, const char *id, bool brief)
{
	struct reply_foreign r;

	if (!worst)
		return reply_addf(out, REPLY_OK, "Ok, message %s", id);
	r = *worst;
	if (brief)
		r.text = NULL;
	return reply_add_foreign(out, &r);
}

/* Append a reply for each recipient. */
static int
add_each(struct buf *out, const struct verdict *v, const char *id, bool brief)
{
	size_t k;

	for (k = 0; k < v->n; k++)
		if (add_one(out, v->reply[k].code < 300 ? NULL : &v->reply[k], id, brief) < 0)
			return -1;
	return 0;
}

/*
 * Append the answer to the message. In LMTP (RFC 2033 4.2) and with PRDR each recipient gets a reply; with PRDR one for
 * the message follows, which is 250 if anybody was accepted. Otherwise it is the one reply of chain(7).
 */
static int
add_answer(struct transaction *i, const struct verdict *v, const char *id, bool brief)
{
	bool mixed;
	const struct reply_foreign *worst = verdict_reduce(v, &mixed);
	struct buf *out = &i->conn->out;
	size_t was = out->len;
	int r;

	if (i->lmtp)
		r = add_each(out, v, id, brief);
	else if (i->mail.prdr && v->n > 1)
		r = reply_add(out, REPLY_EACH) < 0 || add_each(out, v, id, brief) < 0 ? -1 :
		    add_one(out, mixed ? NULL : worst, id, brief);
	else
		r = mixed ? reply_add(out, REPLY_MIXED) : add_one(out, worst, id, brief);
	if (r < 0)
		out->len = was;
	return r;
}

/*
 * Make room for the brief answer before the chain is started: a message that the chain has accepted must not be
 * answered with 451 for lack of memory, or the client sends it again. Returns 0, or -1 with errno ENOMEM.
 */
static int
reserve_answer(struct transaction *i)
{
	return buf_room(&i->conn->out, (i->mail.nrcpt + 2) * SHORT_ANSWER); /* PRDR has one before and one after */
}

/* Log the message and answer it. reserve_answer has made room, so this cannot fail. */
static void
answer(struct transaction *i, const struct verdict *v, const char *id, off_t size, int64_t start_ms)
{
	bool mixed, prdr = i->mail.prdr && v->n > 1;
	const struct reply_foreign *worst = verdict_reduce(v, &mixed);

	if (!worst)
		log_message(i, "accepted", 250, NULL, size, start_ms);
	else
		log_message(i, mixed ? "mixed" : "refused",
		    !mixed || i->lmtp ? worst->code : prdr ? 250 : reply_code(REPLY_MIXED), worst->text, size, start_ms);
	if (add_answer(i, v, id, false) < 0)
		add_answer(i, v, id, true);
}

/*
 * Refuse the message with r, in LMTP for each recipient, and log it. Returns r, which is the last of these replies and
 * still to be sent.
 */
static enum reply
refuse(struct transaction *i, enum reply r)
{
	size_t k;

	for (k = 1; i->lmtp && k < i->mail.nrcpt; k++)
		if (transaction_say(i, VERB_UNKNOWN, r) < 0)
			i->over = true;
	if (!i->failed) /* a refused chunk was logged */
		log_message(i, "refused", reply_code(r), reply_text(r), 0, 0);
	return r;
}

/* Set the facts of a message for n recipients, due in so many seconds. Returns 0, or -1 with errno ENOMEM. */
static int
set_facts(struct transaction *i, const char *id, size_t n, int seconds)
{
	struct facts *f = &i->call->facts;
	char rcpts[24], deadline[24];

	snprintf(rcpts, sizeof rcpts, "%zu", n);
	snprintf(deadline, sizeof deadline, "%lld", (long long)time(NULL) + seconds);
	if (facts_set(f, "MSA_MESSAGE", id) < 0 || facts_set(f, "MSA_RCPTS", rcpts) < 0 ||
	    facts_set(f, "MSA_DEADLINE", deadline) < 0)
		return -1;
	i->call->log.message = facts_get(f, "MSA_MESSAGE");
	return 0;
}

/* Unset them: they end with the message. */
static void
drop_facts(struct transaction *i)
{
	i->call->log.message = NULL;
	facts_claim(&i->call->facts, FACTS_SUBMITD);
}

enum reply
transaction_check(struct transaction *i, struct reply_foreign *no)
{
	int seconds = i->conf->answer_s < CHECK_S ? i->conf->answer_s : CHECK_S;
	int64_t deadline_ms = clock_ms() + (int64_t)seconds * 1000;
	struct buf lines = { 0 };
	struct verdict v = { 0 };
	enum reply r = REPLY_NO_MEMORY;
	char id[ID_MAX];
	int message = -1, envelope = -1;

	lineio_flush(i->conn, i->conf->command_wait_s * 1000); /* the check may take long */
	id_make(id);
	if (mailcmd_last(&i->mail, &lines) < 0 || set_facts(i, id, 1, seconds) < 0)
		goto out;
	message = msgfile_of("", 0);
	envelope = msgfile_of(lines.p, lines.len);
	if (message < 0 || envelope < 0) {
		r = reply_of_errno(errno);
		log_error(&i->call->log, "failed", "check:");
	} else if (call_deliver(i->call, i->conf->check, message, envelope, 1, deadline_ms, &v) == 0) {
		if (v.reply[0].code < 300)
			r = REPLY_RCPT_OK;
		else if (reply_add_foreign(&i->conn->out, &v.reply[0]) == 0) {
			r = TRANSACTION_SAID;
			*no = v.reply[0];
			v.reply[0] = (struct reply_foreign){ 0 };
		}
	}
out:
	verdict_free(&v);
	buf_free(&lines);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	drop_facts(i);
	return r;
}

/* The whole message was received: run the message chain, and answer. Returns as transaction_data. */
static enum reply
deliver(struct transaction *i)
{
	int64_t start;
	struct verdict v = { 0 };
	off_t size = i->text.size;
	enum reply r = TRANSACTION_SAID;
	char id[ID_MAX];
	int message, envelope;

	if (i->data.bare)
		i->spoilt = REPLY_BARE;
	else if (i->data.is_long && i->spoilt == REPLY_OK)
		i->spoilt = REPLY_TEXT_LONG;
	if (i->spoilt != REPLY_OK)
		return refuse(i, i->spoilt);
	lineio_flush(i->conn, i->conf->command_wait_s * 1000); /* the chain may take long */
	start = clock_ms();
	id_make(id);
	message = msgfile_finish(&i->text);
	envelope = message < 0 ? -1 : mailcmd_envelope(&i->mail);
	if (envelope < 0) {
		r = reply_of_errno(errno);
		log_error(&i->call->log, "failed", "message file:");
		refuse(i, r);
	} else if (set_facts(i, id, i->mail.nrcpt, i->conf->answer_s) < 0 ||
	    ((i->lmtp || i->mail.prdr) && facts_set(&i->call->facts, "MSA_PARTIAL", "") < 0) || reserve_answer(i) < 0 ||
	    call_deliver(i->call, i->call->next, message, envelope, i->mail.nrcpt,
	        start + (int64_t)i->conf->answer_s * 1000, &v) < 0)
		r = refuse(i, REPLY_NO_MEMORY);
	else
		answer(i, &v, id, size, start);
	verdict_free(&v);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	drop_facts(i);
	return r;
}

/*
 * After adding to the text, with this result: if the message is spoilt, free what was received, and drop the rest
 * later.
 */
static void
check_text(struct transaction *i, int result)
{
	if (i->spoilt != REPLY_OK)
		return;
	if (result < 0)
		i->spoilt = reply_of_errno(errno);
	else if (i->size_max > 0 && i->text.size > i->size_max)
		i->spoilt = REPLY_TOO_BIG;
	if (i->spoilt != REPLY_OK)
		msgfile_free(&i->text);
}

void
transaction_lost(struct transaction *i, const char *where, const char *reason)
{
	if (i->mail.open && !i->failed)
		log_event(&i->call->log, "lost", "where", where, "reason", reason, (char *)NULL);
}

/* Wait for more of the text or chunk that began at since, of which done octets came. false: the session is over. */
static bool
more_data(struct transaction *i, int64_t since, long long done)
{
	enum line_result r = pace_fill(i->conn, since, done, 0);

	if (r == LINE_OK)
		return true;
	transaction_lost(i, "data", r == LINE_TIMEOUT ? "timeout" : "closed");
	if (r == LINE_TIMEOUT && transaction_say(i, VERB_UNKNOWN, REPLY_TIMEOUT) == 0)
		lineio_flush(i->conn, i->conf->command_wait_s * 1000);
	i->over = true;
	return false;
}

enum reply
transaction_data(struct transaction *i)
{
	int64_t since = clock_ms();
	long long done = 0;
	int end = 0;

	if (reply_add(&i->conn->out, REPLY_START_DATA) < 0)
		return REPLY_NO_MEMORY;
	while (end != 1) {
		size_t used;

		if (!more_data(i, since, done))
			return TRANSACTION_SAID;
		end = smtpdata_dots(&i->data, i->conn->in_buf + i->conn->pos, i->conn->len - i->conn->pos, &used,
		    i->spoilt == REPLY_OK ? &i->text : NULL);
		check_text(i, end);
		i->conn->pos += used;
		done += (long long)used;
	}
	return deliver(i);
}

/* Add n octets of a chunk to the text. */
static void
add_octets(struct transaction *i, const char *p, size_t n, bool last)
{
	struct msgfile *to = i->spoilt == REPLY_OK ? &i->text : NULL;

	check_text(i, smtpdata_octets(&i->data, p, n, i->mail.body != BODY_BINARYMIME, last, to));
}

bool
transaction_octets(struct transaction *i, long long size, bool wanted)
{
	int64_t since = clock_ms();
	long long left = size;

	while (left > 0) {
		size_t n;

		if (!more_data(i, since, size - left))
			return false;
		n = chunk_take(&left, i->conn->len - i->conn->pos);
		if (wanted)
			add_octets(i, i->conn->in_buf + i->conn->pos, n, false);
		i->conn->pos += n;
	}
	return true;
}

enum reply
transaction_chunk(struct transaction *i, long long size)
{
	if (i->spoilt == REPLY_OK)
		return reply_addf(&i->conn->out, REPLY_OK, "%lld octets received", size) < 0 ? REPLY_NO_MEMORY : TRANSACTION_SAID;
	if (!i->failed)
		log_message(i, "refused", reply_code(i->spoilt), reply_text(i->spoilt), 0, 0);
	i->failed = i->logged = true;
	return i->spoilt;
}

enum reply
transaction_last(struct transaction *i)
{
	i->logged = i->failed;
	add_octets(i, "", 0, true);
	return deliver(i);
}
