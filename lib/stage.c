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
#include "handover.h"
#include "id.h"
#include "listener.h"
#include "message.h"
#include "os.h"
#include "peer.h"
#include "pool.h"

extern char **environ;

enum {
	FIRST_FREE_FD = 10,   /* where descriptors wait while 0 to 3 are put in place */
	EXIT_LOOK_MS = 100,   /* how often to ask whether the program ended while somebody else holds its output */
	TERM_GRACE_MS = 1000, /* between SIGTERM and SIGKILL at the deadline */
	NAME_ROOM = 256,      /* of a user */
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

/* The ids of user, "name" or "name:group". name has room for NAME_ROOM. 0, or -1 with errno. */
static int
find_user(const char *user, char *name, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(user, ':');
	struct passwd *pw;
	struct group *gr = NULL;

	snprintf(name, NAME_ROOM, "%.*s", colon ? (int)(colon - user) : (int)strlen(user), user);
	errno = 0;
	pw = getpwnam(name);
	if (pw && colon)
		gr = getgrnam(colon + 1);
	if (!pw || (colon && !gr)) {
		if (!errno)
			errno = ENOENT;
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = gr ? gr->gr_gid : pw->pw_gid;
	return 0;
}

int
stage_drop(const char *user)
{
	char name[NAME_ROOM];
	uid_t uid;
	gid_t gid;

	if (find_user(user, name, &uid, &gid) < 0 || initgroups(name, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -1;
	if (uid != 0 && setuid(0) == 0) { /* the drop did not last */
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

/* Tell the peer (a session: session_reply), or who started us, that this call goes nowhere; a filter tells nobody. */
static int
fail_with(struct call *call, enum reply session_reply)
{
	struct buf b = { 0 };
	ssize_t r;

	if (facts_get(&call->facts, "MSA_MESSAGE"))
		return stage_verdict(call, REPLY_LOCAL_ERROR, NULL);
	if (call->filter)
		return CHAIN_LATER;
	if (reply_add(&b, session_reply) == 0) {
		r = send(call->out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0 && errno == ENOTSOCK)
			r = write(call->out, b.p, b.len);
		(void)r; /* a peer that does not listen is gone anyway */
	}
	buf_free(&b);
	return CHAIN_LATER;
}

static int
fail(struct call *call)
{
	return fail_with(call, REPLY_TROUBLE);
}

/* A regular file that the starter gave us; what main opened (a table that took the free number 3) is close-on-exec. */
static bool
is_given_file(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC) && message_size(fd) >= 0;
}

int
stage_misuse(const char *usage)
{
	struct buf b = { 0 };

	fprintf(stderr, "%s\n", usage);
	if (!getenv("MSA_MESSAGE"))
		return CHAIN_MISUSE;
	if (reply_add(&b, REPLY_LOCAL_ERROR) == 0)
		verdict_write(CHAIN_FD_OUT, &b);
	buf_free(&b);
	return CHAIN_LATER;
}

/* A message call's descriptors are what chain(7) says. */
static int
check_message(struct call *call)
{
	if (!is_given_file(CHAIN_FD_IN)) {
		log_error(&call->log, "misuse", "fd 0, the message, is no regular file");
		return -1;
	}
	if (!is_given_file(CHAIN_FD_ENVELOPE)) {
		log_error(&call->log, "misuse", "fd 3, the envelope, is no regular file");
		return -1;
	}
	call->envelope = CHAIN_FD_ENVELOPE;
	return 0;
}

int
stage_learn(const struct stage *stage, struct call *call)
{
	char id[ID_MAX];

	if (stage->owner != FACTS_NOBODY)
		facts_claim(&call->facts, stage->owner);
	if (stage->kind == STAGE_SESSION) {
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
	return 0;
}

/* The exec'd call: fds 0 to 3 and the environment. */
static int
run_once(const struct stage *stage, void *conf, const char *user)
{
	struct call call = { .in = CHAIN_FD_IN, .out = CHAIN_FD_OUT, .envelope = -1, .stop = -1 };
	int null, r;

	log_open(&call.log, stage->name, stage->kind == STAGE_SESSION ? CHAIN_FD_IN : -1);
	if (call.log.syslog && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		dup2(null, CHAIN_FD_LOG); /* so no later stage or script writes to the peer: log_open knows this sign */
		close(null);
	}
	call.filter = stage->kind == STAGE_MESSAGE; /* MSA_MESSAGE says that it is none */
	if (facts_from_environ(&call.facts) < 0 || stage_learn(stage, &call) < 0) {
		log_error(&call.log, "failed", "environment:");
		r = fail(&call);
	} else if (stage->kind == STAGE_MESSAGE && call.log.message && check_message(&call) < 0)
		r = fail(&call);
	else if (user && stage_drop(user) < 0) {
		bool misuse = errno == ENOENT && !call.log.message; /* a mistake of ours never refuses a message for good */

		log_error(&call.log, "failed", "user %s:", user);
		r = fail(&call);
		if (misuse)
			r = CHAIN_MISUSE;
	} else {
		os_close_inherited(call.envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE);
		r = stage->serve(&call, conf);
	}
	stage_end(&call);
	return r;
}

static int
run_pool(const struct stage *stage, void *conf, const struct stage_options *o)
{
	struct pool_conf pool = {
		.path = strcmp(o->path, "0") == 0 ? NULL : o->path,
		.fd = -1,
		.min = o->min,
		.max = o->max,
		.calls = o->calls,
		.user = o->user,
		.allow = { o->allow, o->nallow },
		.notify_fd = o->notify_fd,
	};

	char name[NAME_ROOM];
	uid_t uid;
	gid_t gid;

	if (!pool.path)
		pool.fd = listener_given();
	if (o->user && find_user(o->user, name, &uid, &gid) < 0) { /* or every worker would fail */
		fprintf(stderr, "%s: user %s: %s\n", stage->name, o->user, strerror(errno));
		return CHAIN_MISUSE;
	}
	return pool_run(stage, conf, &pool);
}

int
stage_run(const struct stage *stage, void *conf, const struct stage_options *options)
{
	signals_default();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file over the operator's limit is EFBIG and an answer */
	if (os_fill_standard() < 0)
		return CHAIN_LATER;
	if (options && options->path)
		return run_pool(stage, conf, options);
	return run_once(stage, conf, options ? options->user : NULL);
}

void
stage_options(struct stage_options *o)
{
	*o = (struct stage_options){ .min = POOL_MIN, .max = POOL_MAX, .calls = POOL_CALLS, .notify_fd = -1 };
}

/* A whole number from least to most at s, ended by end or the string's end. -1: it is none. */
static int
number(const char *s, char end, int least, int most, const char **rest)
{
	char *p;
	long n;

	errno = 0;
	n = strtol(s, &p, 10);
	if (*s < '0' || *s > '9' || errno || (*p != end && *p != '\0') || n < least || n > most)
		return -1;
	*rest = p;
	return (int)n;
}

int
stage_option(struct stage_options *o, const char *name, int letter, const char *value)
{
	struct passwd *pw;
	const char *p = "";
	int bad = 0;

	switch (letter) {
	case 'A':
		pw = getpwnam(value);
		bad = !pw || o->nallow == STAGE_ALLOW_MAX;
		if (!bad)
			o->allow[o->nallow++] = pw->pw_uid;
		break;
	case 'l':
		o->path = value;
		break;
	case 'P':
		o->min = number(value, ':', 1, 10000, &p);
		o->max = *p == ':' ? number(p + 1, '\0', 1, 10000, &p) : o->min;
		bad = o->min < 0 || o->max < o->min;
		break;
	case 'C':
		o->calls = number(value, '\0', 1, 1000000000, &p);
		bad = o->calls < 0;
		break;
	case 'R':
		o->notify_fd = number(value, '\0', 0, 1000000, &p);
		bad = o->notify_fd < 0;
		break;
	case 'U':
		o->user = value;
		break;
	default:
		return -1;
	}
	if (bad)
		fprintf(stderr, "%s: -%c %s: %s\n", name, letter, value,
		    letter == 'A' ? "no such user, or too many" : "not a number that can be used");
	return bad ? -1 : 0;
}

/* Close a resident's call's descriptors: whatever their numbers, they came with the call. */
static void
let_go(struct call *call)
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
stage_end(struct call *call)
{
	if (call->resident)
		let_go(call);
	facts_free(&call->facts);
}

int64_t
stage_deadline(const struct call *call)
{
	long long end = facts_number(&call->facts, "MSA_DEADLINE", -1), left = end - time(NULL);

	if (end < 0 || left > CHAIN_SESSION_S)
		left = CHAIN_ANSWER_S;
	return clock_ms() + (left > 0 ? left : 0) * 1000;
}

int
stage_set_deadline(struct call *call, int64_t deadline_ms)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)time(NULL) + clock_left(deadline_ms) / 1000);
	return facts_set(&call->facts, "MSA_DEADLINE", text);
}

/* Run the next program, or call the next stage, for the message in hand, and give its verdict on. */
static int
next_message(struct call *call, char *const argv[])
{
	long long n = facts_number(&call->facts, "MSA_RCPTS", 0);
	struct verdict v = { 0 };
	int r;

	if (n < 1 || n > CHAIN_RCPT_MAX) {
		log_error(&call->log, "misuse", "MSA_RCPTS is not set to a number of recipients");
		return fail(call);
	}
	if (stage_deliver(call, argv, call->in, call->envelope, (size_t)n, stage_deadline(call), &v) < 0)
		return fail(call);
	r = verdict_pass(call->out, &v) < 0 ? CHAIN_LATER : CHAIN_DONE;
	verdict_free(&v);
	return r;
}

/* Hand a session to the resident stage at path. */
static int
call_session(struct call *call, const char *path)
{
	int fd = handover_connect(path, HANDOVER_WAIT_MS), r;

	r = fd < 0 || handover_send(fd, call, STAGE_SESSION) < 0 ? -1 : handover_acknowledged(fd, HANDOVER_WAIT_MS);
	if (r < 0)
		log_error(&call->log, "failed", "call %s:", path);
	if (fd >= 0)
		close(fd);
	if (r == 0)
		return CHAIN_DONE;
	r = fail_with(call, REPLY_SHUTDOWN);
	shutdown(call->out, SHUT_WR); /* copies may wait in the queue of one that is stopped, and the client for the end */
	return r;
}

/* Hand a message to the resident stage at path, which answers for itself. */
static int
call_message(struct call *call, const char *path)
{
	int fd = handover_connect(path, clock_left(stage_deadline(call))), r;

	r = fd < 0 ? -1 : handover_send(fd, call, STAGE_MESSAGE);
	if (r < 0)
		log_error(&call->log, "failed", "call %s:", path);
	if (fd >= 0)
		close(fd);
	return r < 0 ? fail(call) : CHAIN_DONE;
}

/* Run a program for the session in hand, and wait until it has ended. */
static int
run_session(struct call *call, char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (place(call->in, call->out, -1) == 0) {
			os_close_from(CHAIN_FD_ENVELOPE);
			signals_default();
			if (facts_to_environ(&call->facts) == 0)
				execvp(argv[0], argv);
			call->in = CHAIN_FD_IN;
			call->out = CHAIN_FD_OUT;
		}
		log_error(&call->log, "failed", "next program %s:", argv[0]);
		_exit(fail(call));
	}
	if (pid < 0) {
		log_error(&call->log, "failed", "fork:");
		return fail(call);
	}
	let_go(call); /* the program's end is the conversation's end */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return CHAIN_DONE;
}

/* The words "call PATH". */
static bool
is_call(char *const argv[])
{
	return strcmp(argv[0], "call") == 0 && argv[1] && !argv[2];
}

int
stage_next(struct call *call, char *const argv[])
{
	bool message = facts_get(&call->facts, "MSA_MESSAGE") != NULL;
	char **was = environ;

	if (!argv || !argv[0]) {
		log_error(&call->log, "misuse", "no next program");
		return fail(call);
	}
	if (is_call(argv) && !message)
		return call_session(call, argv[1]);
	if (is_call(argv) && call->resident)
		return call_message(call, argv[1]);
	if (is_call(argv)) /* exec'd: who started us takes our end for the verdict's, so stay and pass it on */
		return next_message(call, argv);
	if (call->resident)
		return message ? next_message(call, argv) : run_session(call, argv);
	if (place(call->in, call->out, call->envelope) < 0) {
		log_error(&call->log, "failed", "descriptors of the next program:");
		return fail(call);
	}
	os_close_inherited(call->envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE); /* a library's */
	signals_default();
	if (facts_to_environ(&call->facts) == 0)
		execvp(argv[0], argv);
	environ = was; /* the facts will be freed */
	signal(SIGPIPE, SIG_IGN);
	call->in = CHAIN_FD_IN;
	call->out = CHAIN_FD_OUT;
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	return fail(call);
}

void
stage_become(const struct call *call, char *const argv[], int msg, int out, int envelope)
{
	int e;

	setpgid(0, 0);
	if (place(msg, out, envelope) == 0) {
		os_close_from(CHAIN_FD_ENVELOPE + 1);
		signals_default();
		if (facts_to_environ(&call->facts) == 0)
			execvp(argv[0], argv);
	}
	e = errno;
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	_exit(e == ENOENT ? 127 : 126);
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

void
stage_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
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
	if (is_call(argv)) {
		next.out = fd[1];
		to = handover_connect(argv[1], clock_left(deadline_ms));
		if (to < 0 || handover_send(to, &next, STAGE_MESSAGE) < 0)
			log_error(&call->log, "failed", "call %s:", argv[1]);
		else
			c->pid = 0;
		if (to >= 0)
			close(to);
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
	r = verdict_judge(v, text.p ? text.p : "", text.len, end, status, n);
	if (r == 0 && c->pid < 0)
		v->why = c->why; /* logged above */
	else if (r == 0 && v->why) {
		char code[16];

		snprintf(code, sizeof code, "%d", status);
		if (text.len > 300)
			text.p[text.len = 300] = '\0';
		log_event(&call->log, "verdict", "program", c->argv[0], "why", v->why, "exit",
		    end == VERDICT_EXIT ? code : NULL, "text", text.len ? text.p : NULL, (char *)NULL);
	}
	buf_free(&text);
	return r;
}

int
stage_deliver(const struct call *call, char *const argv[], int msg, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v)
{
	struct stage_child c;

	stage_reap();
	stage_start(&c, call, argv, msg, envelope, deadline_ms);
	return stage_finish(&c, call, n, v);
}
