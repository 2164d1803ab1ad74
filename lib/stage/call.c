/* ISC licence, see LICENSE. */
#include "stage/call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "chain/limits.h"
#include "msa/msgfile.h"
#include "stage/peer.h"

enum { MARGIN_MS = 2000 }; /* kept for giving the verdict */

void
call_forget_envelope(struct call *call)
{
	if (call->parsed)
		envelope_free(call->parsed);
	free(call->parsed);
	call->parsed = NULL;
}

const struct envelope *
call_envelope(struct call *call)
{
	const char *why = "envelope: out of memory";
	struct envelope *e;

	if (call->parsed)
		return call->parsed;
	e = calloc(1, sizeof *e);
	if (e && envelope_read(e, call->envelope, &why) == 0) {
		call->parsed = e;
		if (e->nrcpt > 0 && facts_number(&call->facts, "MSA_RCPTS", -1) == (long long)e->nrcpt)
			return e;
		call_forget_envelope(call);
		log_error(&call->log, "misuse", "MSA_RCPTS is not the number of recipients");
		errno = EINVAL;
		return NULL;
	}
	free(e);
	log_error(&call->log, errno == EINVAL ? "misuse" : "failed", "%s", why);
	return NULL;
}

enum call_kind
call_kind(const struct call *call)
{
	return call->kind;
}

int
call_in(const struct call *call)
{
	return call->in;
}

int
call_out(const struct call *call)
{
	return call->out;
}

const struct log *
call_log(const struct call *call)
{
	return &call->log;
}

const char *
call_fact(const struct call *call, const char *name)
{
	return facts_get(&call->facts, name);
}

int
call_set_fact(struct call *call, const char *name, const char *value)
{
	if (value)
		return facts_set(&call->facts, name, value);
	facts_unset(&call->facts, name);
	return 0;
}

/* Copy the rest of fd to a file, which can be read more than once. Returns a descriptor, or -1 with errno set. */
static int
collect(int fd)
{
	struct msgfile m = { 0 };
	char chunk[16384];
	ssize_t r;
	int e;

	while ((r = read(fd, chunk, sizeof chunk)) != 0)
		if ((r < 0 && errno != EINTR) || (r > 0 && msgfile_add(&m, chunk, (size_t)r) < 0)) {
			e = errno;
			msgfile_free(&m);
			errno = e;
			return -1;
		}
	return msgfile_finish(&m);
}

int
call_message(struct call *call)
{
	int fd;

	if (call->kind == CALL_FILTER && !call->collected) {
		fd = collect(call->in);
		if (fd < 0)
			return -1;
		if (file_size(fd) == 0) {
			close(fd);
			errno = ENOMSG;
			return -1;
		}
		call->in = call->collected = fd;
	}
	return call->in;
}

/* The exit code that goes with a reply. */
static int
exit_code(int code)
{
	return code < 300 ? CHAIN_DONE : code < 500 ? CHAIN_LATER : CHAIN_REFUSED;
}

int
call_answer(struct call *call, struct verdict *v)
{
	int r = 0;

	if (call->verdict)
		*call->verdict = *v;
	else {
		r = verdict_write(call->out, v);
		verdict_free(v);
	}
	*v = (struct verdict){ 0 };
	if (r < 0)
		log_error(&call->log, "failed", "verdict:");
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}

int
call_verdict(struct call *call, enum reply r, const char *text)
{
	struct verdict v = { .reply = calloc(1, sizeof *v.reply), .n = 1 };
	int code = exit_code(reply_code(r));

	if (call->kind == CALL_FILTER) {
		free(v.reply);
		return code;
	}
	if (!v.reply || reply_set(v.reply, r, text) < 0) {
		log_error(&call->log, "failed", "verdict:");
		verdict_free(&v);
		return CHAIN_LATER;
	}
	return call_answer(call, &v) == CHAIN_DONE ? code : CHAIN_LATER;
}

int
call_reject(struct call *call, enum reply r, const char *why)
{
	if (call->kind == CALL_FILTER) {
		fprintf(stderr, "%s: %s\n", call->log.stage, why);
		return CHAIN_REFUSED;
	}
	log_event(&call->log, "refused", "user", facts_get(&call->facts, "SMTPAUTHUSER"), "why", why, (char *)NULL);
	return call_verdict(call, r, why);
}

int
call_reply(struct call *call, int code, const char *enhanced, const char *text)
{
	struct verdict v = { .reply = calloc(1, sizeof *v.reply), .n = 1 };

	if (call->kind == CALL_FILTER || !v.reply || reply_take(v.reply, code, text, strlen(text)) < 0) {
		verdict_free(&v);
		return call->kind == CALL_FILTER ? exit_code(code) : call_failed(call, "verdict");
	}
	snprintf(v.reply->enhanced, sizeof v.reply->enhanced, "%s", enhanced);
	return call_answer(call, &v) == CHAIN_DONE ? exit_code(code) : CHAIN_LATER;
}

int
call_failed(struct call *call, const char *what)
{
	enum reply r = reply_of_errno(errno);

	if (what && errno == ENOMSG)
		log_error(&call->log, "failed", "%s is empty: no message", what);
	else if (what)
		log_error(&call->log, "failed", "%s:", what);
	return call->kind == CALL_SESSION ? call_refuse(call, REPLY_TROUBLE) : call_verdict(call, r, NULL);
}

int
call_refuse(struct call *call, enum reply r)
{
	struct buf b = { 0 };
	ssize_t sent;

	if (call->kind != CALL_SESSION)
		return call_verdict(call, REPLY_LOCAL_ERROR, NULL);
	if (reply_add(&b, r) == 0) {
		sent = send(call->out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == ENOTSOCK)
			sent = write(call->out, b.p, b.len);
		(void)sent; /* a peer that does not read is gone anyway */
	}
	buf_free(&b);
	return CHAIN_LATER;
}

int64_t
call_deadline(const struct call *call)
{
	long long end = facts_number(&call->facts, "MSA_DEADLINE", -1), left = end - time(NULL);

	if (end < 0 || left > CHAIN_DEADLINE_MAX_S)
		left = CHAIN_ANSWER_S;
	return clock_ms() + (left > 0 ? left : 0) * 1000;
}

int64_t
call_own_deadline(const struct call *call)
{
	int64_t end = call_deadline(call);
	int left = clock_left(end);

	return end - (left / 10 < MARGIN_MS ? left / 10 : MARGIN_MS);
}

int
call_set_deadline(struct call *call, int64_t deadline_ms)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)time(NULL) + clock_left(deadline_ms) / 1000);
	return facts_set(&call->facts, "MSA_DEADLINE", text);
}

bool
call_is_over(const struct call *call)
{
	struct pollfd out = { .fd = call->out };

	return clock_left(call_deadline(call)) == 0 ||
	    (poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP | POLLNVAL));
}

int
call_learn(struct call *call, enum facts_owner owner)
{
	char id[ID_MAX];

	if (owner != FACTS_NOBODY)
		facts_claim(&call->facts, owner);
	if (call->kind == CALL_SESSION) {
		if (peer_learn(&call->facts, call->in) < 0)
			return -1;
		if (!facts_get(&call->facts, "MSA_SESSION")) {
			id_make(id);
			if (facts_set(&call->facts, "MSA_SESSION", id) < 0)
				return -1;
		}
	}
	call->log.session = facts_get(&call->facts, "MSA_SESSION");
	call->log.message = facts_get(&call->facts, "MSA_MESSAGE");
	call->log.no_addresses = facts_get(&call->facts, "MSA_PRIVATE") != NULL;
	return 0;
}

void
call_let_go(struct call *call)
{
	int *fd[] = { &call->in, &call->out, &call->envelope };
	size_t i;

	if (call->out == call->in)
		call->out = -1;
	for (i = 0; i < sizeof fd / sizeof *fd; i++) {
		if (*fd[i] >= 0)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

void
call_end(struct call *call)
{
	if (!call->may_exec)
		call_let_go(call);
	if (call->collected)
		close(call->collected);
	call_forget_envelope(call);
	facts_free(&call->facts);
}
