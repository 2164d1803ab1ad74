/* ISC licence, see LICENSE. */
#include "stage/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "chain/limits.h"
#include "stage/handover.h"
#include "stage/inproc.h"
#include "stage/next.h"
#include "stage/stage.h"

enum {
	EXIT_LOOK_MS = 100,   /* how often to ask whether the program ended while somebody else holds its output */
	TERM_GRACE_MS = 1000, /* between SIGTERM and SIGKILL at the deadline */
	TEXT_SHOWN = 300,     /* octets in the log of a verdict that could not be taken */
};

/* Where in text the closing line "." begins; -1: not there (yet). from: how far it was looked through. */
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

/*
 * It has ended: true. Waits until end, or not at all where that is over. It stays a zombie, so that its pid, which is
 * the name of its group too, cannot become somebody else's before kill_group.
 */
static bool
has_ended(pid_t pid, int64_t end)
{
	struct timespec nap = { 0, 200000 };

	for (;;) {
		siginfo_t info = { .si_pid = 0 };
		int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);

		if (r == 0 ? info.si_pid == pid : errno != EINTR)
			return true;
		if (clock_left(end) == 0)
			return false;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 20000000)
			nap.tv_nsec *= 2;
	}
}

/* Its status. Where somebody else took it nothing is known, so nothing is accepted. */
static int
reap(pid_t pid)
{
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	return r == pid ? status : 0x7f00;
}

static void
kill_group(pid_t pid, int64_t grace_ms)
{
	kill(-pid, SIGTERM);
	has_ended(pid, grace_ms);
	kill(-pid, SIGKILL); /* it, or what it may have left behind */
}

/* Read fd to its end, or to the closing dot, or the program's end (VERDICT_EXIT: it waits to be reaped). */
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
			return VERDICT_LATE; /* and not where the answer is there: we may have waited for another */
		if (n < 0)
			continue;
		if (n == 0) {
			if (pid == 0)
				continue; /* a resident stage: its end is the end of the output */
			if (ended)
				break; /* all that it had written was read; a child of its own holds the pipe */
			ended = has_ended(pid, 0);
			continue;
		}
		if (text->len >= CHAIN_VERDICT_MAX || buf_room(text, 4096) < 0)
			return VERDICT_CUT;
		r = read(fd, text->p + text->len, 4096);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (pid == 0)
				return VERDICT_CUT;
			if (!ended && !has_ended(pid, deadline_ms))
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

/*
 * What stage_start ran has a group of its own. A child in ours is somebody else's who shares the process (helper.h): it
 * has to stay a zombie until he takes it, or he would kill whoever has its pid by then. So it ends the looking; what
 * may wait behind it is reaped once he has.
 */
void
stage_reap(void)
{
	for (;;) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    getpgid(info.si_pid) == getpgrp())
			return;
		waitpid(info.si_pid, NULL, 0);
	}
}

void
stage_start(struct stage_child *c, const struct call *call, char *const argv[], int msg, int envelope,
    int64_t deadline_ms)
{
	struct call next = { .in = msg, .envelope = envelope, .facts = call->facts };
	int fd[2], to;

	*c = (struct stage_child){ .argv = argv, .pid = -1, .fd = -1, .deadline_ms = deadline_ms, .why = "not started" };
	if (!argv[0] || pipe(fd) < 0) {
		if (argv[0])
			log_error(&call->log, "failed", "pipe:");
		else
			log_error(&call->log, "misuse", "no program to deliver with");
		c->why = argv[0] ? "no pipe" : "no program to deliver with";
		return;
	}
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	c->fd = fd[0];
	if (next_is_call(argv)) {
		next.out = fd[1];
		to = handover_call(argv[1], &next, STAGE_MESSAGE, clock_left(deadline_ms));
		if (to < 0)
			log_error(&call->log, "failed", "call %s: %s", argv[1], handover_why(errno, true));
		else {
			c->pid = 0;
			close(to);
		}
	} else {
		c->pid = fork();
		if (c->pid == 0)
			stage_become(call, argv, msg, fd[1], envelope);
		if (c->pid < 0)
			log_error(&call->log, "failed", "fork:");
		else
			setpgid(c->pid, c->pid);
	}
	close(fd[1]);
}

int
stage_judge(const struct call *call, const char *program, struct buf *text, enum verdict_end end, int status, size_t n,
    struct verdict *v)
{
	char code[16];

	if (verdict_judge(v, text->p ? text->p : "", text->len, end, status, n) < 0)
		return -1;
	if (!v->why || !program)
		return 0;
	snprintf(code, sizeof code, "%d", status);
	if (text->len > TEXT_SHOWN)
		text->p[TEXT_SHOWN] = '\0';
	log_event(&call->log, "verdict", "program", program, "why", v->why, "exit", end == VERDICT_EXIT ? code : NULL, "text",
	    text->len ? text->p : NULL, (char *)NULL);
	return 0;
}

int
stage_finish(struct stage_child *c, const struct call *call, size_t n, struct verdict *v)
{
	struct buf text = { 0 };
	enum verdict_end end = VERDICT_CUT;
	int status = 0, r;

	if (c->pid >= 0)
		end = collect(c->fd, c->pid, c->deadline_ms, &text);
	if (c->fd >= 0)
		close(c->fd);
	if (c->pid > 0 && (end == VERDICT_LATE || end == VERDICT_CUT))
		kill_group(c->pid, (end == VERDICT_LATE ? c->deadline_ms : clock_ms()) + TERM_GRACE_MS);
	if (c->pid > 0 && (end != VERDICT_DOT || has_ended(c->pid, 0)))
		status = reap(c->pid);
	if (end == VERDICT_EXIT && !WIFEXITED(status))
		end = VERDICT_SIGNAL;
	status = WEXITSTATUS(status);
	r = stage_judge(call, c->pid < 0 ? NULL : c->argv[0], &text, end, status, n, v);
	if (r == 0 && c->pid < 0)
		v->why = c->why; /* which was logged when it was not started */
	buf_free(&text);
	return r;
}

int
stage_deliver(const struct call *call, char *const argv[], int msg, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v)
{
	const struct ready *joined = inproc_find(call->joined, argv);
	struct stage_child c;

	if (joined)
		return inproc_deliver(call, joined, msg, envelope, n, v);
	stage_reap();
	stage_start(&c, call, argv, msg, envelope, deadline_ms);
	return stage_finish(&c, call, n, v);
}
