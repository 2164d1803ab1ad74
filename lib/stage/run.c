/* ISC licence, see LICENSE. */
#include "stage/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "base/process.h"
#include "chain/limits.h"
#include "stage/handover.h"
#include "stage/instance.h"
#include "stage/spawn.h"

enum {
	EXIT_LOOK_MS = 100,   /* how often to ask whether the program ended while another process holds its output */
	TERM_GRACE_MS = 1000, /* between SIGTERM and SIGKILL at the deadline */
	TEXT_SHOWN = 300,     /* octets logged of a verdict that was not taken unchanged */
	TEXT_PART = 4096,     /* octets read at once */
	TEXT_REPLY = 64,      /* octets of a usual reply: allocated for each recipient before the start */
};

/* Returns the offset of the closing line "." in text, or -1 if it has not come. from: start of the first new line. */
static ssize_t
find_dot(const struct buf *text, size_t from)
{
	size_t i = from;

	while (i < text->len) {
		const char *lf = memchr(text->p + i, '\n', text->len - i);
		size_t end;

		if (!lf)
			return -1;
		end = (size_t)(lf - text->p);
		if (text->p[i] == '.' && (end == i + 1 || (end == i + 2 && text->p[i + 1] == '\r')))
			return (ssize_t)i;
		i = end + 1;
	}
	return -1;
}

/* Read fd to its end, to the closing dot, or to the program's end (VERDICT_EXIT: the program is not reaped yet). */
static enum verdict_end
collect(int fd, pid_t pid, int64_t deadline_ms, struct buf *text)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t line = 0; /* where the last unfinished line of text begins */
	bool ended = false;
	ssize_t r, dot;
	int n;

	for (;;) {
		int left = clock_left(deadline_ms);

		n = poll(&p, 1, ended ? 0 : left < EXIT_LOOK_MS ? left : EXIT_LOOK_MS);
		if (left == 0 && n <= 0)
			return VERDICT_LATE; /* but read what has come: the time may have gone into another chain */
		if (n < 0)
			continue;
		if (n == 0) {
			if (pid == 0)
				continue; /* a resident stage: its end is the end of the output */
			if (ended)
				break; /* all its output was read; a child of the program still holds the pipe */
			ended = process_has_ended(pid, 0);
			continue;
		}
		if (text->len >= CHAIN_VERDICT_MAX || buf_room(text, TEXT_PART) < 0)
			return VERDICT_CUT;
		r = read(fd, text->p + text->len, TEXT_PART);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (pid == 0)
				return VERDICT_CUT;
			if (!ended && !process_has_ended(pid, deadline_ms))
				return VERDICT_LATE;
			break;
		}
		text->len += (size_t)r;
		text->p[text->len] = '\0';
		dot = find_dot(text, line);
		if (dot >= 0) {
			text->len = (size_t)dot;
			return VERDICT_DOT;
		}
		for (line = text->len; line > 0 && text->p[line - 1] != '\n'; line--)
			;
	}
	return VERDICT_EXIT;
}

/* Log why a verdict was not taken unchanged. Cuts off a long text. */
static void
log_verdict(const struct call *call, const char *program, struct buf *text, enum verdict_end end, int status,
    const struct verdict *v)
{
	char code[16];

	if (!v->why)
		return;
	snprintf(code, sizeof code, "%d", status);
	if (text->len > TEXT_SHOWN)
		text->p[TEXT_SHOWN] = '\0';
	log_event(&call->log, "verdict", "program", program, "why", v->why, "exit", end == VERDICT_EXIT ? code : NULL, "text",
	    text->len ? text->p : NULL, (char *)NULL);
}

void
run_start(struct run *r, const struct call *call, const struct next *next, int message, int envelope,
    size_t n, int64_t deadline_ms)
{
	struct call given = { .in = message, .envelope = envelope, .facts = call->facts };
	int fd[2], to;

	*r = (struct run){ .next = next, .pid = -1, .fd = -1, .deadline_ms = deadline_ms, .why = "not started" };
	if (verdict_open(&r->verdict, n) < 0 || buf_room(&r->text, TEXT_PART + n * TEXT_REPLY) < 0) {
		verdict_free(&r->verdict);
		buf_free(&r->text);
		return;
	}
	if (next->how == NEXT_NONE) {
		r->why = "no next program";
		log_error(&call->log, "misuse", "%s", r->why);
		return;
	}
	if (clock_left(deadline_ms) == 0) { /* our caller has answered 451, and may not have a delivery after that */
		r->is_late = true;
		r->why = "no time was left to start it";
		return;
	}
	if (pipe(fd) < 0) {
		r->why = "no pipe";
		log_error(&call->log, "failed", "pipe:");
		return;
	}
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	r->fd = fd[0];
	if (next->how == NEXT_CALL) {
		given.out = fd[1];
		to = handover_call(next->path, &given, CALL_MESSAGE, clock_left(deadline_ms));
		if (to < 0)
			log_error(&call->log, "failed", "call %s: %s", next->path, handover_why(errno, true));
		else {
			r->pid = 0;
			close(to);
		}
	} else {
		r->pid = spawn_child(call, next->argv, message, fd[1], envelope);
		if (r->pid < 0)
			log_error(&call->log, "failed", "fork:");
	}
	close(fd[1]);
}

int
run_finish(struct run *r, const struct call *call, struct verdict *v)
{
	enum verdict_end end = r->is_late ? VERDICT_LATE : VERDICT_CUT;
	char name[PROCESS_NAME] = "";
	bool forbidden; /* the sandbox ended it */
	int status = 0;

	if (r->pid >= 0)
		end = collect(r->fd, r->pid, r->deadline_ms, &r->text);
	if (r->fd >= 0)
		close(r->fd);
	if (r->pid > 0 && (end == VERDICT_LATE || end == VERDICT_CUT))
		process_end_group(r->pid, (end == VERDICT_LATE ? r->deadline_ms : clock_ms()) + TERM_GRACE_MS);
	if (r->pid > 0 && (end != VERDICT_DOT || process_has_ended(r->pid, 0))) {
		if (end == VERDICT_EXIT)
			process_name(r->pid, name);
		status = process_reap(r->pid);
	}
	if (end == VERDICT_EXIT && !WIFEXITED(status))
		end = VERDICT_SIGNAL;
	forbidden = end == VERDICT_SIGNAL && WTERMSIG(status) == SIGSYS;
	status = WEXITSTATUS(status);
	*v = r->verdict;
	if (!v->reply) {
		errno = ENOMEM;
		return -1;
	}
	verdict_judge(v, r->text.p ? r->text.p : "", r->text.len, end, status);
	if (forbidden)
		v->why = "ended by a bad system call";
	if (r->pid < 0)
		v->why = r->why;
	if (r->pid >= 0 || r->is_late) /* anything else was logged by run_start */
		log_verdict(call, forbidden && *name ? name : r->next->argv[0], &r->text, end, status, v);
	buf_free(&r->text);
	return 0;
}

/* Call a stage of this process for one message, with its own copy of the facts. Judge its verdict by the same table. */
static int
deliver_inner(const struct call *call, const struct instance *i, int message, int envelope, size_t n, struct verdict *v)
{
	struct verdict given = { 0 };
	struct buf none = { 0 };
	struct call inner = {
		.kind = CALL_MESSAGE,
		.in = message,
		.out = -1,
		.envelope = envelope,
		.stop = -1,
		.caller = call->caller,
		.next = &i->next,
		.verdict = &given,
		.parsed = envelope == call->envelope ? call->parsed : NULL,
		.log = call->log,
	};
	int code;

	if (verdict_open(v, n) < 0)
		return -1;
	inner.log.stage = i->stage->name;
	if (facts_copy(&inner.facts, &call->facts) == 0 && call_learn(&inner, i->stage->owner) == 0) {
		code = i->stage->serve(&inner, i->conf);
		verdict_take(v, &given, code);
		log_verdict(call, i->stage->name, &none, VERDICT_EXIT, code, v);
	} else
		verdict_free(v);
	inner.in = inner.envelope = -1; /* the caller's */
	if (inner.parsed == call->parsed)
		inner.parsed = NULL;
	call_end(&inner);
	if (v->reply)
		return 0;
	errno = ENOMEM;
	return -1;
}

int
call_deliver(const struct call *call, const struct next *next, int message, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v)
{
	struct run r;

	if (next->how == NEXT_INNER)
		return deliver_inner(call, next->inner, message, envelope, n, v);
	spawn_reap();
	run_start(&r, call, next, message, envelope, n, deadline_ms);
	return run_finish(&r, call, v);
}

/* Hand the call on to a stage of this process. */
static int
next_inner(struct call *call, const struct instance *i)
{
	const struct next *next = call->next;
	const char *name = call->log.stage;
	enum call_kind kind = call->kind;
	int r;

	if (kind == CALL_SESSION && i->kind == STAGE_MESSAGE) /* as for an exec'd stage without MSA_MESSAGE */
		call->kind = CALL_FILTER;
	call->log.stage = i->stage->name;
	call->next = &i->next;
	r = i->stage->serve(call, i->conf);
	call->kind = kind;
	call->next = next;
	call->log.stage = name;
	return r;
}

/* Run the next program for the message in hand, and pass its verdict on. */
static int
run_message(struct call *call, const struct next *next)
{
	long long n = facts_number(&call->facts, "MSA_RCPTS", 0);
	struct verdict v = { 0 };

	if (n < 1 || n > CHAIN_RCPT_MAX) {
		log_error(&call->log, "misuse", "MSA_RCPTS is not set to a number of recipients");
		return call_refuse(call, REPLY_TROUBLE);
	}
	if (call_deliver(call, next, call->in, call->envelope, (size_t)n, call_deadline(call), &v) < 0)
		return call_failed(call, "verdict");
	return call_answer(call, &v);
}

/* Hand a session to the resident stage at path. */
static int
give_session(struct call *call, const char *path)
{
	int fd = handover_call(path, call, CALL_SESSION, HANDOVER_WAIT_MS), r;

	r = fd < 0 ? -1 : handover_acknowledged(fd, HANDOVER_WAIT_MS);
	if (r < 0)
		log_error(&call->log, "failed", "call %s: %s", path, handover_why(errno, true));
	if (fd >= 0)
		close(fd);
	if (r == 0)
		return CHAIN_DONE;
	r = call_refuse(call, REPLY_SHUTDOWN);
	/* A stopped resident may hold copies of the socket in its queue: close alone would not reach the client. */
	shutdown(call->out, SHUT_WR);
	return r;
}

/* Hand a message to the resident stage at path, which gives the verdict itself. */
static int
give_message(struct call *call, const char *path)
{
	int fd = handover_call(path, call, CALL_MESSAGE, clock_left(call_deadline(call)));

	if (fd < 0) {
		log_error(&call->log, "failed", "call %s: %s", path, handover_why(errno, true));
		return call_refuse(call, REPLY_TROUBLE);
	}
	close(fd);
	return CHAIN_DONE;
}

/* Run a program for the session in hand, and wait until it has ended. */
static int
run_session(struct call *call, char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		spawn_exec(call, argv, call->in, call->out, -1);
		call->in = CHAIN_FD_IN;
		call->out = CHAIN_FD_OUT;
		log_error(&call->log, "failed", "next program %s:", argv[0]);
		_exit(call_refuse(call, REPLY_TROUBLE));
	}
	if (pid < 0) {
		log_error(&call->log, "failed", "fork:");
		return call_refuse(call, REPLY_TROUBLE);
	}
	call_let_go(call); /* so that the conversation ends when the program does */
	process_reap(pid);
	return CHAIN_DONE;
}

/* Write the message to the output of a filter without a next program. */
static int
write_message(struct call *call)
{
	int fd = call_message(call);
	off_t size = fd < 0 ? -1 : file_size(fd);

	return size < 0 || os_copy(call->out, fd, 0, size) < 0 ? call_failed(call, "output") : CHAIN_DONE;
}

int
call_next_to(struct call *call, const struct next *next)
{
	bool message = call->kind == CALL_MESSAGE;

	switch (next->how) {
	case NEXT_NONE:
		if (call->kind == CALL_FILTER)
			return write_message(call);
		log_error(&call->log, "misuse", "no next program");
		return call_refuse(call, REPLY_TROUBLE);
	case NEXT_INNER:
		return next_inner(call, next->inner);
	case NEXT_CALL:
		if (!message)
			return give_session(call, next->path);
		if (!call->may_exec && !call->verdict)
			return give_message(call, next->path);
		return run_message(call, next); /* our end would count as the end of the verdict: stay and pass it on */
	case NEXT_EXEC:
		break;
	}
	if (!call->may_exec)
		return message ? run_message(call, next) : run_session(call, next->argv);
	spawn_exec(call, next->argv, call->in, call->out, call->envelope);
	call->in = CHAIN_FD_IN;
	call->out = CHAIN_FD_OUT;
	log_error(&call->log, "failed", "next program %s:", next->argv[0]);
	return call_refuse(call, REPLY_TROUBLE);
}

int
call_next(struct call *call)
{
	return call_next_to(call, call->next);
}

int
call_next_with(struct call *call, int message, int envelope)
{
	int was_in = call->in, was_envelope = call->envelope, r;
	struct envelope *was_parsed = call->parsed;

	if (message >= 0)
		call->in = message;
	if (envelope >= 0 && envelope != was_envelope) {
		call->envelope = envelope;
		call->parsed = NULL;
	}
	r = call_next(call);
	if (call->envelope != was_envelope) {
		call_forget_envelope(call);
		call->parsed = was_parsed;
	}
	call->in = was_in;
	call->envelope = was_envelope;
	return r;
}

void
run_idle(const struct next *next)
{
	for (; next->how == NEXT_INNER; next = &next->inner->next)
		if (next->inner->stage->idle)
			next->inner->stage->idle(next->inner->conf);
}

int
run_idle_s(const struct next *next)
{
	int least = 0;

	for (; next->how == NEXT_INNER; next = &next->inner->next) {
		int s = next->inner->stage->idle ? next->inner->idle_s : 0;

		if (s > 0 && (least == 0 || s < least))
			least = s;
	}
	return least;
}
