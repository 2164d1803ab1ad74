/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "mail/msgfile.h"
#include "stage/stage.h"

static const char usage[] = "usage: filter [-t seconds] [-u] " STAGE_USAGE " command prog [arg ...]";

enum {
	WAIT_S = 60,            /* for the command, where -t says nothing else */
	WAIT_MAX_S = 86400,
	MARGIN_S = 2,           /* kept of MSA_DEADLINE, so that we end the command and not our starter us */
	GRACE_MS = 1000,        /* between SIGTERM and SIGKILL */
	NAP_MS = 5,             /* between two looks whether the command ended */
	GROWTH = 2, ROOM = 1048576, /* the output is at most GROWTH times the input plus ROOM octets */
};

struct conf {
	bool lines;      /* -l: the command reads and writes LF ends */
	long seconds;
	char *command;
	char *const *next;
};

/* What the command writes, looked at and put into a message on its way. */
struct output {
	struct msgfile m;
	off_t max;
	bool lines, binary;
	char last; /* the octet before */
	bool bare; /* a CR or LF on its own, or a NUL */
	enum reply reply; /* what it becomes where nothing comes of it, */
	const char *why;  /* and why; constant */
};

static bool
no(struct output *o, enum reply r, const char *why)
{
	o->reply = r;
	o->why = why;
	return false;
}

/* What errno of a failed write becomes. */
static enum reply
trouble(void)
{
	return errno == ENOSPC ? REPLY_STORAGE : errno == ENOMEM ? REPLY_NO_MEMORY : REPLY_LOCAL_ERROR;
}

/* Append n octets: with -l, LF becomes CRLF. 0, or -1 with errno. */
static int
take(struct output *o, const char *p, size_t n)
{
	size_t i, from = 0;

	for (i = 0; i < n; i++) {
		char c = p[i];

		if (c == '\0' || (o->last == '\r' && c != '\n') || (c == '\n' && o->last != '\r' && !o->lines))
			o->bare = true;
		if (c == '\n' && o->last != '\r' && o->lines) {
			if (msgfile_add(&o->m, p + from, i - from) < 0 || msgfile_add(&o->m, "\r", 1) < 0)
				return -1;
			from = i;
		}
		o->last = c;
	}
	return msgfile_add(&o->m, p + from, n - from);
}

/* The message with LF ends, for -l. The descriptor, or -1 with errno. */
static int
plain_lines(int in)
{
	struct msgfile m = { 0 };
	char chunk[16384];
	off_t off = 0, size = file_size(in);
	int fd = -1;

	while (off < size) {
		ssize_t r = pread(in, chunk, sizeof chunk, off), i, n = 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EIO; /* it is shorter than it was */
		if (r <= 0)
			goto out;
		off += r;
		if (chunk[r - 1] == '\r' && r > 1) { /* its LF comes with the next chunk */
			r--;
			off--;
		}
		for (i = 0; i < r; i++)
			if (chunk[i] != '\r' || i + 1 == r || chunk[i + 1] != '\n')
				chunk[n++] = chunk[i];
		if (msgfile_add(&m, chunk, (size_t)n) < 0)
			goto out;
	}
	if (size >= 0)
		fd = msgfile_finish(&m);
out:
	msgfile_free(&m);
	return fd;
}

static void
wake(int sig)
{
	(void)sig; /* it interrupts pselect, that is all */
}

/*
 * While the command runs, whoever ends us must end it too, and it is in a process group of its own. SIGTERM is blocked
 * except inside pselect, where it shows as EINTR: nothing needs to be remembered outside the call.
 */
struct guard {
	struct sigaction term, intr, hup;
	sigset_t mask; /* as it was */
};

static void
guard_on(struct guard *g)
{
	struct sigaction sa = { .sa_handler = wake };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, &g->mask);
	sigaction(SIGTERM, &sa, &g->term);
	sigaction(SIGINT, &sa, &g->intr);
	sigaction(SIGHUP, &sa, &g->hup);
}

static void
guard_off(const struct guard *g)
{
	sigaction(SIGTERM, &g->term, NULL);
	sigaction(SIGINT, &g->intr, NULL);
	sigaction(SIGHUP, &g->hup, NULL);
	sigprocmask(SIG_SETMASK, &g->mask, NULL);
}

/* Wait until fd (-1: none) can be read, at most ms. 1: it can; 0: not; -1: told to end. */
static int
wait_for(int fd, int ms, const struct guard *g)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	fd_set set;
	int n;

	FD_ZERO(&set);
	if (fd >= 0)
		FD_SET(fd, &set);
	n = pselect(fd + 1, &set, NULL, NULL, &ts, &g->mask);
	return n < 0 ? -1 : n > 0;
}

/* Read fd to its end. false: *o says why not. */
static bool
read_all(struct output *o, int fd, int64_t deadline_ms, const struct guard *g)
{
	char chunk[16384];
	ssize_t r;
	int n;

	for (;;) {
		n = wait_for(fd, clock_left(deadline_ms), g);
		if (n < 0)
			return no(o, REPLY_LOCAL_ERROR, "told to end");
		if (n == 0)
			return no(o, REPLY_LATE, "command took too long");
		r = read(fd, chunk, sizeof chunk);
		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			return true;
		if (r < 0)
			return no(o, REPLY_LOCAL_ERROR, "command's output cannot be read");
		if (o->m.size + r > o->max)
			return no(o, REPLY_LOCAL_ERROR, "command's output is too large");
		if (take(o, chunk, (size_t)r) < 0)
			return no(o, trouble(), "command's output cannot be stored");
	}
}

/* The command's end, until deadline_ms. false: it goes on. */
static bool
reap(pid_t pid, int *status, int64_t deadline_ms, const struct guard *g)
{
	for (;;) {
		pid_t r = waitpid(pid, status, WNOHANG);

		if (r == pid)
			return true;
		if (r < 0) {
			*status = 0x7f00; /* somebody else reaped it: nothing is known, so nothing is taken */
			return true;
		}
		if (clock_left(deadline_ms) == 0 || wait_for(-1, NAP_MS, g) < 0)
			return false;
	}
}

/* The command and all that it started. */
static void
end_group(pid_t pid)
{
	int64_t grace = clock_ms() + GRACE_MS;
	struct timespec nap = { 0, NAP_MS * 1000000L };
	int status;
	pid_t r = 0;

	kill(-pid, SIGTERM);
	while ((r = waitpid(pid, &status, WNOHANG)) == 0 && clock_left(grace) > 0)
		nanosleep(&nap, NULL);
	kill(-pid, SIGKILL);
	if (r == 0)
		waitpid(pid, &status, 0);
}

/*
 * Run the command with msg as its fd 0. true: it ended with *status and all its output is in *o; false: o->why, and it
 * is no more.
 */
static bool
run(struct call *call, const struct conf *conf, int msg, int64_t deadline_ms, struct output *o, int *status)
{
	char shell[] = "/bin/sh", option[] = "-c", *argv[] = { shell, option, conf->command, NULL };
	struct guard g;
	int fd[2];
	pid_t pid;
	bool ended;

	no(o, REPLY_LOCAL_ERROR, "no pipe or process");
	if (lseek(msg, 0, SEEK_SET) < 0 || pipe(fd) < 0)
		return false;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	if (fd[0] >= FD_SETSIZE) {
		close(fd[0]);
		close(fd[1]);
		return false;
	}
	guard_on(&g);
	pid = fork();
	if (pid == 0) {
		guard_off(&g);
		stage_become(call, argv, msg, fd[1], call->envelope);
	}
	close(fd[1]);
	ended = pid > 0;
	if (ended) {
		setpgid(pid, pid);
		ended = read_all(o, fd[0], deadline_ms, &g);
		if (ended && !reap(pid, status, deadline_ms, &g))
			ended = no(o, REPLY_LATE, "command closed its output, but did not end");
		if (!ended)
			end_group(pid);
	}
	close(fd[0]);
	guard_off(&g);
	return ended;
}

/* The command ended with something else than 0: its code and text mean what a stage's do. */
static int
judge(struct call *call, const struct conf *conf, struct output *o, int status, size_t n)
{
	struct verdict v = { 0 };
	struct buf text = { 0 }, out = { 0 };
	bool mixed, told;
	const struct reply_foreign *worst;
	char code[16], exited[16];
	int r = CHAIN_LATER;

	if (!o->m.spilled && o->m.size < CHAIN_VERDICT_MAX)
		buf_add(&text, o->m.mem.p, o->m.mem.len);
	if (verdict_judge(&v, text.p ? text.p : "", text.len, WIFEXITED(status) ? VERDICT_EXIT : VERDICT_SIGNAL,
	        WIFEXITED(status) ? WEXITSTATUS(status) : 0, n) < 0) {
		buf_free(&text);
		return stage_verdict(call, REPLY_NO_MEMORY, NULL);
	}
	told = true;
	for (n = 0; n < v.n; n++)
		told = told && reply_add_foreign(&out, &v.reply[n]) == 0;
	worst = verdict_reduce(&v, &mixed);
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	snprintf(exited, sizeof exited, "%d", WEXITSTATUS(status));
	log_event(&call->log, "done", "verdict", code, "why", v.why, "exit",
	    v.why && WIFEXITED(status) ? exited : NULL, "command", v.why ? conf->command : NULL, (char *)NULL);
	if (told && stage_answer(call, &out) == 0 && worst && worst->code >= 500)
		r = CHAIN_REFUSED;
	buf_free(&out);
	buf_free(&text);
	verdict_free(&v);
	return r;
}

static int
later(struct call *call, const struct conf *conf, enum reply r, const char *why)
{
	char code[16];

	snprintf(code, sizeof code, "%d", reply_code(r));
	log_event(&call->log, "done", "verdict", code, "why", why, "command", conf->command, (char *)NULL);
	return call->log.message ? stage_verdict(call, r, NULL) : CHAIN_LATER;
}

/* When the command must be done, on the monotonic clock. */
static int64_t
deadline(const struct call *call, const struct conf *conf)
{
	long long end = facts_number(&call->facts, "MSA_DEADLINE", 0), left = conf->seconds;

	if (end > 0 && end - time(NULL) - MARGIN_S < left)
		left = end - time(NULL) - MARGIN_S;
	return clock_ms() + (left > 0 ? left * 1000 : 0);
}

/* The command has run: its output is the message, or it is not. */
static int
conclude(struct call *call, const struct conf *conf, struct output *o, int status, size_t n, off_t size)
{
	int fd, in = call->in, r;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return call->log.message ? judge(call, conf, o, status, n) : CHAIN_LATER;
	if (o->m.size == 0 && size > 0)
		return later(call, conf, REPLY_LOCAL_ERROR, "command ended with 0, but wrote nothing");
	if (!o->binary && (o->bare || (o->m.size > 0 && o->last != '\n')))
		return later(call, conf, REPLY_LOCAL_ERROR, o->bare ? "bare CR, bare LF or NUL in the command's output" :
		    "the command's last line has no end");
	fd = msgfile_finish(&o->m);
	if (fd < 0)
		return later(call, conf, trouble(), "message cannot be stored");
	log_event(&call->log, "done", (char *)NULL);
	call->in = fd;
	r = stage_next(call, conf->next);
	call->in = in;
	close(fd);
	return r;
}

static bool
is_binary(const struct envelope *e)
{
	const char *value;
	size_t len;

	return envelope_param(&e->mail, PARAM_BODY, &value, &len) && value && len == strlen("BINARYMIME") &&
	    strncmp(value, "BINARYMIME", len) == 0;
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct output o = { .lines = conf->lines };
	struct envelope e = { 0 };
	const char *why;
	size_t n = 1;
	off_t size = file_size(call->in);
	int msg = call->in, status = 0, r;

	if (size < 0)
		return later(call, conf, REPLY_LOCAL_ERROR, "message is no regular file");
	if (call->log.message) {
		if (envelope_read(&e, call->envelope, &why) < 0)
			return later(call, conf, REPLY_LOCAL_ERROR, why);
		n = e.nrcpt;
		o.binary = is_binary(&e);
		envelope_free(&e);
	}
	if (o.binary && conf->lines) {
		log_event(&call->log, "done", "verdict", "554", "why", "BODY=BINARYMIME has no lines", (char *)NULL);
		return stage_verdict(call, REPLY_NO_BINARY, NULL);
	}
	if (conf->lines && (msg = plain_lines(call->in)) < 0)
		return later(call, conf, trouble(), "message cannot be stored");
	o.max = GROWTH * size + ROOM;
	if (run(call, conf, msg, deadline(call, conf), &o, &status))
		r = conclude(call, conf, &o, status, n, size);
	else
		r = later(call, conf, o.reply, o.why);
	if (msg != call->in)
		close(msg);
	msgfile_free(&o.m);
	return r;
}

int
main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "filter", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve
	};
	struct conf conf = { .seconds = WAIT_S };
	struct stage_options options;
	char *end;
	int c;

	stage_options(&options);
	while ((c = getopt(argc, argv, "+t:u" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'u':
			conf.lines = true;
			break;
		case 't':
			conf.seconds = strtol(optarg, &end, 10);
			if (*end || conf.seconds < 1 || conf.seconds > WAIT_MAX_S)
				return stage_misuse(usage);
			break;
		default:
			if (c == '?' || stage_option(&options, "filter", c, optarg) < 0)
				return stage_misuse(usage);
		}
	if (argc - optind < 2)
		return stage_misuse(usage);
	conf.command = argv[optind];
	conf.next = argv + optind + 1;
	return stage_run(&stage, &conf, &options);
}
