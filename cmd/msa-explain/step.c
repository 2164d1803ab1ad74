/* ISC licence, see LICENSE. */
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/process.h"
#include "base/program.h"
#include "chain/limits.h"
#include "stage/handover.h"
#include "stage/spawn.h"

enum {
	PART = 4096,
	LOG_MAX = 1048576,  /* octets of a log line that has not ended */
	LOOK_MS = 100,      /* how often to look whether the program has ended while something holds its output */
	GRACE_MS = 1000,
	ANSWER_MAX = 65536, /* octets of the answer to a question */
	ASK_MS = 10000,
};

enum { OUT, LOG, CALLS, WAYS };

/* A program that runs. */
struct running {
	struct step *step;
	struct pollfd way[WAYS]; /* its verdict, its log, the socket at which it hands on; fd -1: ended */
	struct buf text, log;    /* what came */
	pid_t pid;
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
};

/* Listen at the path. Returns the descriptor, or -1 with errno set. */
static int
listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), e;

	if (fd < 0)
		return -1;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

/* Make a pipe that no other program inherits. Returns 0, or -1 with errno set. */
static int
make_pipe(int p[2])
{
	if (pipe(p) < 0)
		return -1;
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	fcntl(p[1], F_SETFD, FD_CLOEXEC);
	return 0;
}

/* Start the program with the pipes out and err. Returns 0, or -1 with errno set. */
static int
start(struct running *r, int out, int err)
{
	struct step *s = r->step;
	int own = fcntl(CHAIN_FD_LOG, F_DUPFD_CLOEXEC, 10);
	static char call[] = "call";

	if (own < 0)
		return -1;
	if (!s->last) {
		s->argv[s->n] = call;
		s->argv[s->n + 1] = r->path;
	}
	s->argv[s->n + (s->last ? 0 : 2)] = NULL;
	dup2(err, CHAIN_FD_LOG); /* where the child, which spawn_child makes, has its log */
	r->pid = spawn_child(s->call, s->argv, s->call->in, out, s->call->envelope);
	dup2(own, CHAIN_FD_LOG);
	close(own);
	return r->pid < 0 ? -1 : 0;
}

/* Give the whole lines of the log away; at the end what is left is a line too. */
static void
give_lines(struct running *r, bool end)
{
	char *lf;

	while ((lf = r->log.len > 0 ? memchr(r->log.p, '\n', r->log.len) : NULL) || (end && r->log.len > 0)) {
		size_t n = lf ? (size_t)(lf - r->log.p) : r->log.len;

		r->log.p[n] = '\0';
		r->step->line(r->step->arg, r->log.p);
		buf_consume(&r->log, lf ? n + 1 : n);
	}
}

/* Read what can be read. Returns 1 if something came, 0 at the end, or -1 with errno set. */
static int
take(struct pollfd *way, struct buf *to, size_t max)
{
	ssize_t n;

	if (to->len >= max) {
		errno = EFBIG;
		return -1;
	}
	if (buf_room(to, PART) < 0)
		return -1;
	n = read(way->fd, to->p + to->len, PART);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n <= 0) {
		close(way->fd);
		way->fd = -1;
		return 0;
	}
	to->len += (size_t)n;
	to->p[to->len] = '\0';
	return 1;
}

/* The lines that are there already, so that they are printed in front of what the next programs do. */
static void
take_lines(struct running *r)
{
	struct pollfd *p = &r->way[LOG];

	while (p->fd >= 0 && poll(p, 1, 0) > 0 && take(p, &r->log, LOG_MAX) > 0)
		;
	give_lines(r, false);
}

/* The program hands the message on, at the connection fd. Returns 0, or -1 with errno set. */
static int
take_call(struct running *r, int fd)
{
	struct call given = { .kind = CALL_MESSAGE, .in = -1, .out = -1, .envelope = -1, .stop = -1 };
	struct verdict v = { 0 };
	long long n;
	uid_t uid;
	int result = -1;

	if (handover_receive(fd, &given, CALL_MESSAGE, NULL, HANDOVER_WAIT_MS, &uid) < 0)
		return -1;
	take_lines(r);
	n = facts_number(&given.facts, "MSA_RCPTS", 0);
	if (n < 1 || n > CHAIN_RCPT_MAX)
		errno = EINVAL;
	else
		result = r->step->hand_on(r->step->arg, &given, (size_t)n, &v);
	if (result == 0)
		verdict_write(given.out, &v); /* a program that does not want it any more has closed */
	verdict_free(&v);
	call_forget_envelope(&given);
	close(given.in);
	close(given.out);
	close(given.envelope);
	facts_free(&given.facts);
	return result;
}

static int
take_calls(struct running *r)
{
	int fd, result = 0;

	while (result == 0 && (fd = os_accept(r->way[CALLS].fd)) >= 0) {
		result = take_call(r, fd);
		close(fd);
	}
	return result;
}

/* Serve the program until its output has ended. Returns how it ended, or -1 with errno set. */
static int
serve(struct running *r)
{
	bool ended = false;
	int n;

	while (r->way[OUT].fd >= 0) {
		if (clock_left(r->step->deadline_ms) == 0)
			return VERDICT_LATE;
		n = poll(r->way, WAYS, ended ? 0 : LOOK_MS);
		if (n == 0 && ended)
			break; /* something holds its output, and has nothing to say */
		if (n <= 0) {
			ended = process_has_ended(r->pid, 0);
			continue;
		}
		if (r->way[LOG].revents && take(&r->way[LOG], &r->log, LOG_MAX) < 0)
			return -1;
		give_lines(r, false);
		if (r->way[CALLS].revents && take_calls(r) < 0)
			return -1;
		if (r->way[OUT].revents && take(&r->way[OUT], &r->text, CHAIN_VERDICT_MAX) < 0)
			return VERDICT_CUT;
	}
	return process_has_ended(r->pid, r->step->deadline_ms) ? VERDICT_EXIT : VERDICT_LATE;
}

/* Cut the line of a single dot off at the end of the verdict. Returns true if it was there. */
static bool
cut_dot(struct buf *b)
{
	size_t n = b->len;

	if (n > 0 && b->p[n - 1] == '\n')
		n--;
	if (n > 0 && b->p[n - 1] == '\r')
		n--;
	if (n == b->len || n == 0 || b->p[n - 1] != '.' || (n > 1 && b->p[n - 2] != '\n'))
		return false;
	b->len = n - 1;
	b->p[b->len] = '\0';
	return true;
}

/* The program has ended, or is ended now: judge its verdict. */
static void
judge(struct running *r, enum verdict_end end, struct verdict *v)
{
	int status;

	if (end == VERDICT_LATE || end == VERDICT_CUT)
		process_end_group(r->pid, clock_ms() + GRACE_MS);
	status = process_reap(r->pid);
	if (end == VERDICT_EXIT && !WIFEXITED(status))
		end = VERDICT_SIGNAL;
	if (end == VERDICT_EXIT && cut_dot(&r->text))
		end = VERDICT_DOT;
	take_lines(r);
	give_lines(r, true);
	verdict_judge(v, r->text.p ? r->text.p : "", r->text.len, end, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

/* Make the pipes and the socket, and start the program. Returns 0, or -1 with errno set. */
static int
begin(struct running *r)
{
	int out[2], err[2], result;

	if (make_pipe(out) < 0)
		return -1;
	if (make_pipe(err) < 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	r->way[OUT].fd = out[0];
	r->way[LOG].fd = err[0];
	result = start(r, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	return result;
}

int
step_run(struct step *s, struct verdict *v, const char **why)
{
	struct running r = { .step = s, .pid = -1, .way = { { -1, POLLIN, 0 }, { -1, POLLIN, 0 }, { -1, POLLIN, 0 } } };
	int end = -1, i, e;

	*why = "a program cannot be started";
	/* the name is free again when this step, or the one below it, has ended */
	if (snprintf(r.path, sizeof r.path, "%s/%llx", s->directory, (unsigned long long)(uintptr_t)&r) >=
	    (int)sizeof r.path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (verdict_open(v, s->nrcpt) == 0 && (r.way[CALLS].fd = listen_at(r.path)) >= 0 && begin(&r) == 0)
		end = serve(&r);
	e = errno;
	if (r.pid > 0)
		judge(&r, end < 0 ? VERDICT_CUT : (enum verdict_end)end, v);
	for (i = 0; i < WAYS; i++)
		if (r.way[i].fd >= 0)
			close(r.way[i].fd);
	unlink(r.path);
	buf_free(&r.text);
	buf_free(&r.log);
	if (end < 0)
		verdict_free(v);
	errno = e;
	return end < 0 ? -1 : 0;
}

int
step_ask(char *const argv[], struct buf *out)
{
	struct pollfd way = { .fd = -1, .events = POLLIN };
	int64_t deadline_ms = clock_ms() + ASK_MS;
	int p[2], null, status;
	pid_t pid;

	if (make_pipe(p) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (unsetenv("MSA_MESSAGE") == 0 && dup2(null, 0) == 0 && dup2(p[1], 1) == 1 && dup2(p[1], 2) == 2)
			program_exec(argv);
		_exit(CHAIN_LATER);
	}
	close(p[1]);
	way.fd = p[0];
	while (pid > 0 && way.fd >= 0 && poll(&way, 1, clock_left(deadline_ms)) != 0 && take(&way, out, ANSWER_MAX) >= 0)
		;
	if (way.fd >= 0)
		close(way.fd);
	if (pid < 0)
		return -1;
	if (!process_has_ended(pid, deadline_ms))
		process_end_group(pid, clock_ms());
	status = process_reap(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
