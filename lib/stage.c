/* ISC licence, see LICENSE. */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "chain.h"
#include "clock.h"
#include "id.h"
#include "message.h"
#include "os.h"
#include "peer.h"

enum {
	FIRST_FREE_FD = 10,   /* where descriptors wait while 0 to 3 are put in place */
	EXIT_LOOK_MS = 100,   /* how often to ask whether the program ended while somebody else holds its output */
	TERM_GRACE_MS = 1000, /* between SIGTERM and SIGKILL at the deadline */
};

/* Signals as a program expects them; what is ignored or blocked would survive exec. */
static void
signals_default(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || !(flags & O_NONBLOCK) ? 0 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Make 0, 1 and 3 (where not -1) of in, out and envelope, in whatever numbers those are now. 0 or -1. */
static int
place(int in, int out, int envelope)
{
	int from[3] = { in, out, envelope };
	const int to[3] = { CHAIN_FD_IN, CHAIN_FD_OUT, CHAIN_FD_ENVELOPE };
	int i;

	for (i = 0; i < 3; i++) {
		if (from[i] < 0 || from[i] == to[i])
			continue;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (from[i] < 0)
			return -1;
	}
	for (i = 0; i < 3; i++)
		if (from[i] >= 0 && from[i] != to[i] && dup2(from[i], to[i]) < 0)
			return -1;
	for (i = 0; i < 3; i++)
		if (from[i] >= 0 && (set_blocking(to[i]) < 0 || fcntl(to[i], F_SETFD, 0) < 0))
			return -1;
	return 0;
}

int
stage_drop(const char *user)
{
	char name[256];
	const char *colon = strchr(user, ':');
	struct passwd *pw;
	struct group *gr = NULL;

	snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - user) : (int)strlen(user), user);
	errno = 0;
	pw = getpwnam(name);
	if (pw && colon)
		gr = getgrnam(colon + 1);
	if (!pw || (colon && !gr)) {
		if (!errno)
			errno = ENOENT;
		return -1;
	}
	if (initgroups(name, gr ? gr->gr_gid : pw->pw_gid) < 0 || setgid(gr ? gr->gr_gid : pw->pw_gid) < 0 ||
	    setuid(pw->pw_uid) < 0)
		return -1;
	if (pw->pw_uid != 0 && setuid(0) == 0) { /* the drop did not last */
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
stage_verdict(struct call *call, enum reply r, const char *detail)
{
	struct buf b = { 0 };
	int failed = reply_addf(&b, r, "%s", detail ? detail : reply_text(r)) < 0 || verdict_write(call->out, &b) < 0;

	buf_free(&b);
	if (failed)
		return CHAIN_LATER;
	return reply_code(r) < 300 ? CHAIN_DONE : reply_code(r) < 500 ? CHAIN_LATER : CHAIN_REFUSED;
}

/* Tell the peer, or who started us, that this call goes nowhere. */
static int
fail(struct call *call)
{
	struct buf b = { 0 };
	ssize_t r;

	if (facts_get(&call->facts, "MSA_MESSAGE"))
		return stage_verdict(call, REPLY_LOCAL_ERROR, NULL);
	if (reply_add(&b, REPLY_TROUBLE) == 0) {
		r = send(call->out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0 && errno == ENOTSOCK)
			r = write(call->out, b.p, b.len);
		(void)r; /* a peer that does not listen is gone anyway */
	}
	buf_free(&b);
	return CHAIN_LATER;
}

/* A message call's descriptors are what chain(7) says. */
static int
check_message(struct call *call)
{
	if (message_size(CHAIN_FD_IN) < 0) {
		log_error(&call->log, "misuse", "fd 0, the message, is no regular file");
		return -1;
	}
	if (message_size(CHAIN_FD_ENVELOPE) < 0) {
		log_error(&call->log, "misuse", "fd 3, the envelope, is no regular file");
		return -1;
	}
	call->envelope = CHAIN_FD_ENVELOPE;
	return 0;
}

/* The facts of an exec'd call: the environment, less what nobody in front of us may have said. */
static int
learn(const struct stage *stage, struct call *call)
{
	char id[ID_MAX];

	if (facts_from_environ(&call->facts) < 0)
		return -1;
	if (stage->owner != FACTS_NOBODY)
		facts_claim(&call->facts, stage->owner);
	if (stage->kind == STAGE_SESSION) {
		if (peer_learn(&call->facts, CHAIN_FD_IN) < 0)
			return -1;
		if (!facts_get(&call->facts, "MSA_SESSION")) {
			id_make(id);
			if (facts_set(&call->facts, "MSA_SESSION", id) < 0)
				return -1;
		}
	}
	call->log.session = facts_get(&call->facts, "MSA_SESSION");
	call->log.message = facts_get(&call->facts, "MSA_MESSAGE");
	return 0;
}

int
stage_run(const struct stage *stage, void *conf, const char *user)
{
	struct call call = { .in = CHAIN_FD_IN, .out = CHAIN_FD_OUT, .envelope = -1 };
	struct stat st;
	int null, r;

	signals_default();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file over the operator's limit is EFBIG and an answer */
	while (fstat(CHAIN_FD_LOG, &st) < 0) { /* a closed 0, 1 or 2 would be the next file opened */
		null = open("/dev/null", O_RDWR);
		if (null < 0 || null > CHAIN_FD_LOG)
			return CHAIN_LATER;
	}
	log_open(&call.log, stage->name, stage->kind == STAGE_SESSION ? CHAIN_FD_IN : -1);
	if (call.log.syslog && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		dup2(null, CHAIN_FD_LOG); /* so no later stage or script writes to the peer: log_open knows this sign */
		close(null);
	}
	if (learn(stage, &call) < 0) {
		log_error(&call.log, "failed", "environment:");
		r = fail(&call);
	} else if (stage->kind == STAGE_MESSAGE && call.log.message && check_message(&call) < 0)
		r = fail(&call);
	else if (user && stage_drop(user) < 0) {
		log_error(&call.log, "failed", "user %s:", user);
		r = fail(&call);
	} else {
		os_close_from(call.envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE);
		r = stage->serve(&call, conf);
	}
	facts_free(&call.facts);
	return r;
}

int
stage_next(struct call *call, char *const argv[])
{
	if (!argv || !argv[0]) {
		log_error(&call->log, "misuse", "no next program");
		return fail(call);
	}
	if (place(call->in, call->out, call->envelope) < 0) {
		log_error(&call->log, "failed", "descriptors of the next program:");
		return fail(call);
	}
	signals_default();
	facts_to_environ(&call->facts);
	execvp(argv[0], argv);
	signal(SIGPIPE, SIG_IGN);
	call->in = CHAIN_FD_IN;
	call->out = CHAIN_FD_OUT;
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	return fail(call);
}

/* The child of stage_deliver. */
static void
become(const struct call *call, char *const argv[], int msg, int out, int envelope)
{
	struct call next = { .facts = call->facts };

	setpgid(0, 0);
	if (place(msg, out, envelope) == 0) {
		os_close_from(CHAIN_FD_ENVELOPE + 1);
		signals_default();
		facts_to_environ(&next.facts);
		execvp(argv[0], argv);
	}
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	_exit(errno == ENOENT ? 127 : 126);
}

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

/* Ended, with status: true. Waits until end, or not at all where that is over. */
static bool
reap(pid_t pid, int *status, int64_t end)
{
	struct timespec nap = { 0, 200000 };

	for (;;) {
		pid_t r = waitpid(pid, status, WNOHANG);

		if (r == pid)
			return true;
		if (r < 0 && errno != EINTR) {
			*status = 0x7f00; /* somebody else reaped it: nothing is known, so nothing is accepted */
			return true;
		}
		if (clock_left(end) == 0)
			return false;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 20000000)
			nap.tv_nsec *= 2;
	}
}

static void
kill_group(pid_t pid)
{
	int status;

	kill(-pid, SIGTERM);
	if (!reap(pid, &status, clock_ms() + TERM_GRACE_MS)) {
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
	} else
		kill(-pid, SIGKILL); /* what it may have left behind */
}

/* Read fd to its end, or to the closing dot, or the program's end. */
static enum verdict_end
collect(int fd, pid_t pid, int64_t deadline_ms, struct buf *text, int *status)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t line = 0; /* where the last unfinished line of text begins */
	bool ended = false;
	ssize_t r, dot;
	int n;

	for (;;) {
		int left = clock_left(deadline_ms);

		if (left == 0)
			return VERDICT_LATE;
		n = poll(&p, 1, ended ? 0 : left < EXIT_LOOK_MS ? left : EXIT_LOOK_MS);
		if (n < 0)
			continue;
		if (n == 0) {
			if (ended)
				break; /* all that it had written was read; a child of its own holds the pipe */
			ended = reap(pid, status, 0);
			continue;
		}
		if (text->len >= CHAIN_VERDICT_MAX || buf_room(text, 4096) < 0)
			return VERDICT_CUT;
		r = read(fd, text->p + text->len, 4096);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (!ended && !reap(pid, status, deadline_ms))
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
	if (WIFEXITED(*status)) {
		*status = WEXITSTATUS(*status);
		return VERDICT_EXIT;
	}
	return VERDICT_SIGNAL;
}

int
stage_deliver(const struct call *call, char *const argv[], int msg, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v)
{
	struct buf text = { 0 };
	enum verdict_end end = VERDICT_CUT;
	int fd[2], status = 0, r;
	pid_t pid;

	while (waitpid(-1, NULL, WNOHANG) > 0) /* whoever closed its verdict with a dot and ended later */
		;
	if (pipe(fd) < 0)
		return verdict_judge(v, "", 0, VERDICT_CUT, 0, n);
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	pid = fork();
	if (pid == 0)
		become(call, argv, msg, fd[1], envelope);
	close(fd[1]);
	if (pid < 0)
		log_error(&call->log, "failed", "fork:");
	else {
		setpgid(pid, pid);
		end = collect(fd[0], pid, deadline_ms, &text, &status);
	}
	close(fd[0]);
	if (pid > 0 && end == VERDICT_DOT)
		reap(pid, &status, 0);
	else if (pid > 0 && (end == VERDICT_LATE || end == VERDICT_CUT))
		kill_group(pid);
	r = verdict_judge(v, text.p ? text.p : "", text.len, end, status, n);
	if (r == 0 && v->why) {
		char code[16];

		snprintf(code, sizeof code, "%d", status);
		if (text.len > 300)
			text.p[text.len = 300] = '\0';
		log_event(&call->log, "verdict", "program", argv[0], "why", v->why, "exit",
		    end == VERDICT_EXIT ? code : NULL, "text", text.len ? text.p : NULL, (char *)NULL);
	}
	buf_free(&text);
	return r;
}
