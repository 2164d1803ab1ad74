/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "msa/buf.h"
#include "msa/msgfile.h"
#include "stage/instance.h"
#include "stage/spawn.h"

enum {
	WAIT_S = 60,            /* for the command: the default of -t */
	WAIT_MAX_S = 86400,
	GRACE_MS = 1000,        /* between SIGTERM and SIGKILL */
	NAP_MS = 5,             /* between two looks whether the command ended */
	GROWTH = 2, ROOM = 1048576, /* the output is at most GROWTH times the input plus ROOM octets */
};

struct conf {
	bool lines;    /* -u: the command reads and writes lines that end with LF */
	int seconds;
	char *command;
};

/* The command's output, which is examined and stored as a message while it comes. */
struct output {
	struct msgfile m;
	off_t max;
	bool lines, binary;
	char last; /* the octet before */
	bool bare; /* a CR or LF on its own, or a NUL */
	enum reply reply; /* to the client, if the output cannot be used */
	const char *why;  /* the reason then; a constant */
};

static bool
no(struct output *o, enum reply r, const char *why)
{
	o->reply = r;
	o->why = why;
	return false;
}

/* Append n octets; with -u, LF becomes CRLF. Returns 0, or -1 with errno set. */
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

/* Copy the message with LF for CRLF, for -u. Returns a descriptor, or -1 with errno set. */
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
		if (chunk[r - 1] == '\r' && r > 1) { /* its LF may come with the next chunk */
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
	(void)sig; /* it only interrupts pselect */
}

/*
 * The command runs in a process group of its own, so a signal that ends us does not reach it: we must end it first.
 * SIGTERM, SIGINT and SIGHUP are blocked except inside pselect, which they end with EINTR. So no state outside the call
 * has to remember them.
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

/* Wait until fd (-1: none) can be read, at most ms. Returns 1 if it can, 0 if not, or -1 if a signal asks us to end. */
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

/* Read fd to its end. Returns true, or false with o->reply and o->why set. */
static bool
read_all(struct output *o, int fd, int64_t deadline_ms, const struct guard *g)
{
	char chunk[16384];
	ssize_t r;
	int n;

	for (;;) {
		n = wait_for(fd, clock_left(deadline_ms), g);
		if (n < 0)
			return no(o, REPLY_LOCAL_ERROR, "ended by a signal");
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
			return no(o, reply_of_errno(errno), "command's output cannot be stored");
	}
}

/* Wait for the command's end until deadline_ms, or until a signal asks us to end. Returns false if it still runs. */
static bool
reap(pid_t pid, int *status, int64_t deadline_ms, const struct guard *g)
{
	while (!process_has_ended(pid, 0))
		if (clock_left(deadline_ms) == 0 || wait_for(-1, NAP_MS, g) < 0)
			return false;
	*status = process_reap(pid);
	return true;
}

/*
 * Run the command with msg as its fd 0. Returns true if it has ended, with *status set and all its output in *o; or
 * false with o->reply and o->why set, after the command was killed or could not be started.
 */
static bool
run(struct call *call, const struct conf *conf, int msg, int64_t deadline_ms, struct output *o, int *status)
{
	char shell[] = "/bin/sh", option[] = "-c", *argv[] = { shell, option, conf->command, NULL };
	struct guard g;
	int fd[2];
	pid_t pid;
	bool ended;

	no(o, REPLY_LOCAL_ERROR, "command cannot be started");
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
	pid = spawn_child(call, argv, msg, fd[1], call->envelope);
	close(fd[1]);
	ended = pid > 0;
	if (ended) {
		ended = read_all(o, fd[0], deadline_ms, &g);
		if (ended && !reap(pid, status, deadline_ms, &g))
			ended = no(o, REPLY_LATE, "command closed its output, but did not end");
		if (!ended) {
			process_end_group(pid, clock_ms() + GRACE_MS);
			process_reap(pid);
		}
	}
	close(fd[0]);
	guard_off(&g);
	return ended;
}

/* The command was killed or did not exit with 0: its code and text mean the same as a stage's. */
static int
judge(struct call *call, const struct conf *conf, struct output *o, int status, size_t n)
{
	struct verdict v = { 0 };
	struct buf text = { 0 };
	bool mixed;
	const struct reply_foreign *worst;
	char code[16], exited[16];
	int r;

	if (!o->m.spilled && o->m.size < CHAIN_VERDICT_MAX)
		buf_add(&text, o->m.mem.p, o->m.mem.len);
	if (verdict_open(&v, n) < 0) {
		buf_free(&text);
		return call_failed(call, "verdict");
	}
	verdict_judge(&v, text.p ? text.p : "", text.len, WIFEXITED(status) ? VERDICT_EXIT : VERDICT_SIGNAL,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	buf_free(&text);
	worst = verdict_reduce(&v, &mixed);
	r = worst && worst->code >= 500 ? CHAIN_REFUSED : CHAIN_LATER;
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	snprintf(exited, sizeof exited, "%d", WEXITSTATUS(status));
	log_event(&call->log, "done", "verdict", code, "why", v.why, "exit",
	    v.why && WIFEXITED(status) ? exited : NULL, "command", v.why ? conf->command : NULL, (char *)NULL);
	return call_answer(call, &v) == CHAIN_DONE ? r : CHAIN_LATER;
}

static int
later(struct call *call, const struct conf *conf, enum reply r, const char *why)
{
	char code[16];

	snprintf(code, sizeof code, "%d", reply_code(r));
	log_event(&call->log, "done", "verdict", code, "why", why, "command", conf->command, (char *)NULL);
	return call_verdict(call, r, NULL);
}

/* Returns when the command must be done, on clock_ms. */
static int64_t
deadline(const struct call *call, const struct conf *conf)
{
	int64_t most = clock_ms() + (int64_t)conf->seconds * 1000, own = call_own_deadline(call);

	return facts_get(&call->facts, "MSA_DEADLINE") && own < most ? own : most;
}

/* The command has ended: pass its output on as the message, or answer. */
static int
conclude(struct call *call, const struct conf *conf, struct output *o, int status, size_t n, off_t size)
{
	int fd, r;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return call->kind == CALL_MESSAGE ? judge(call, conf, o, status, n) : CHAIN_LATER;
	if (o->m.size == 0 && size > 0)
		return later(call, conf, REPLY_LOCAL_ERROR, "command ended with 0, but wrote nothing");
	if (!o->binary && (o->bare || (o->m.size > 0 && o->last != '\n')))
		return later(call, conf, REPLY_LOCAL_ERROR, o->bare ? "bare CR, bare LF or NUL in the command's output" :
		    "the command's last line has no end");
	fd = msgfile_finish(&o->m);
	if (fd < 0)
		return later(call, conf, reply_of_errno(errno), "message cannot be stored");
	log_event(&call->log, "done", "command", conf->command, (char *)NULL);
	r = call_next_with(call, fd, -1);
	close(fd);
	return r;
}

static bool
is_binary(const struct envelope *e)
{
	const char *value;
	size_t len;

	return envelope_param(&e->mail, "BODY", &value, &len) && value && len == strlen("BINARYMIME") &&
	    strncmp(value, "BINARYMIME", len) == 0;
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct output o = { .lines = conf->lines };
	const struct envelope *e;
	size_t n = 1;
	off_t size = file_size(call->in);
	int msg = call->in, status = 0, r;

	if (size < 0)
		return later(call, conf, REPLY_LOCAL_ERROR, "message is not a regular file");
	if (size == 0 && call->kind == CALL_FILTER)
		return later(call, conf, REPLY_LOCAL_ERROR, "message is empty");
	if (call->kind == CALL_MESSAGE) {
		e = call_envelope(call);
		if (!e)
			return call_failed(call, NULL);
		n = e->nrcpt;
		o.binary = is_binary(e);
	}
	if (o.binary && conf->lines) {
		log_event(&call->log, "done", "verdict", "554", "why", "-u, but BODY=BINARYMIME has no lines", (char *)NULL);
		return call_verdict(call, REPLY_NO_BINARY, NULL);
	}
	if (conf->lines && (msg = plain_lines(call->in)) < 0)
		return later(call, conf, reply_of_errno(errno), "message cannot be stored");
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

static void
init(void *arg)
{
	((struct conf *)arg)->seconds = WAIT_S;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	long long n;

	if (letter == 'u') {
		conf->lines = true;
		return 0;
	}
	if (stage_number(i, letter, value, 1, WAIT_MAX_S, &n) < 0)
		return -1;
	conf->seconds = (int)n;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	((struct conf *)arg)->command = i->words[0];
	return 0;
}

/* The shell looks for the program of a simple command; of another one only the shell knows. */
static void
examine(const void *arg, struct instance *i)
{
	const char *command = ((const struct conf *)arg)->command;
	char word[256];

	(void)i;
	snprintf(word, sizeof word, "%.*s", (int)strcspn(command, " \t"), command);
	if (!strpbrk(word, "|&;<>()$`\\\"'*?[]#~=%!{}\n"))
		finding_fact("program", word);
}

const struct stage filter_stage = {
	.name = "filter",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs = STAGE_PROGRAMS,
	.options = "t:u",
	.usage = "[-t seconds] [-u] " STAGE_USAGE " command prog [arg ...]",
	.own_words = 1,
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.serve = serve,
	.examine = examine,
};
