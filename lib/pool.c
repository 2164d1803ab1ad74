/* ISC licence, see LICENSE. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "chain.h"
#include "clock.h"
#include "os.h"

/*
 * Design: nothing passes between parent and workers in the normal course. A board in shared memory has one state a worker;
 * the worker that takes a call and finds nobody idle wakes the parent with one octet. The end is told by closing a
 * pipe, which workers that wait for a client see (call.stop), with a signal that only interrupts those in accept.
 */
enum { SLOT_FREE, SLOT_IDLE, SLOT_BUSY };

struct board {
	atomic_int generation; /* counts reloads */
	atomic_uchar state[];  /* one a worker */
};

struct pool {
	const struct stage *stage;
	void *stage_conf;
	const struct pool_conf *conf;
	struct log log;
	int listener;
	int wake[2];       /* workers to parent: nobody is idle */
	int stop[2];       /* closed by the parent: the end */
	int signals;       /* os_signals */
	struct board *board;
	pid_t *pid;        /* of each slot; 0: free */
	int64_t lost_ms;   /* when a worker died last */
};

static int
idle(const struct pool *p)
{
	int i, n = 0;

	for (i = 0; i < p->conf->max; i++)
		n += atomic_load_explicit(&p->board->state[i], memory_order_relaxed) == SLOT_IDLE;
	return n;
}

/* The worker */

static void
interrupted(int signo)
{
	(void)signo; /* it is here to interrupt accept and does nothing */
}

static bool
stopped(const struct pool *p)
{
	struct pollfd f = { .fd = p->stop[0], .events = POLLIN };

	return poll(&f, 1, 0) > 0;
}

static void
serve(struct pool *p, int fd)
{
	struct call call = {
		.in = -1, .out = -1, .envelope = -1, .stop = p->stop[0], .resident = true, .log = p->log
	};

	if (handover_receive(fd, &call, p->stage->kind, &p->conf->allow) < 0) {
		log_error(&call.log, "refused", "call:");
		close(fd);
		return;
	}
	call.log.session = facts_get(&call.facts, "MSA_SESSION");
	call.log.message = facts_get(&call.facts, "MSA_MESSAGE");
	if (p->stage->kind == STAGE_MESSAGE || handover_acknowledge(fd) == 0) {
		close(fd);
		p->stage->serve(&call, p->stage_conf);
	} else
		close(fd); /* the caller is gone, and has told its client */
	stage_end(&call);
}

static void
work(struct pool *p, int slot)
{
	atomic_uchar *state = &p->board->state[slot];
	int generation = atomic_load(&p->board->generation), calls = 0;

	while (calls < p->conf->calls && !stopped(p) && generation == atomic_load(&p->board->generation)) {
		int fd = os_accept(p->listener);

		if (fd < 0) {
			if ((errno == EAGAIN || errno == EWOULDBLOCK) && p->stage->idle)
				p->stage->idle(p->stage_conf);
			if ((errno == EAGAIN || errno == EWOULDBLOCK) && idle(p) > p->conf->min)
				return;
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				log_error(&p->log, "failed", "accept:");
				return;
			}
			continue;
		}
		atomic_store(state, SLOT_BUSY);
		if (idle(p) == 0 && write(p->wake[1], "", 1) < 0) {
			/* the pipe is full: the parent is awake */
		}
		serve(p, fd);
		calls++;
		atomic_store(state, SLOT_IDLE);
	}
}

/* The parent */

static int
start(struct pool *p)
{
	struct sigaction sa = { .sa_handler = interrupted };
	int slot;
	pid_t pid;

	for (slot = 0; slot < p->conf->max && p->pid[slot]; slot++)
		;
	if (slot == p->conf->max)
		return -1;
	atomic_store(&p->board->state[slot], SLOT_IDLE);
	pid = fork();
	if (pid < 0) {
		atomic_store(&p->board->state[slot], SLOT_FREE);
		log_error(&p->log, "failed", "fork:");
		return -1;
	}
	if (pid == 0) {
		int code = CHAIN_DONE;

		close(p->stop[1]);
		close(p->wake[0]);
		close(p->signals);
		os_signals_restore();
		sigaction(SIGTERM, &sa, NULL);
		if (p->conf->user && stage_drop(p->conf->user) < 0) {
			log_error(&p->log, "failed", "user %s:", p->conf->user);
			code = CHAIN_MISUSE;
		} else {
			os_undumpable();
			work(p, slot);
			if (p->stage->idle)
				p->stage->idle(p->stage_conf);
		}
		_exit(code);
	}
	p->pid[slot] = pid;
	return 0;
}

static void
fill(struct pool *p)
{
	while (idle(p) < p->conf->min && start(p) == 0)
		;
	if (idle(p) == 0)
		start(p);
}

/* Workers that have ended. Their slots are free again. */
static void
reap(struct pool *p)
{
	int status, slot;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (slot = 0; slot < p->conf->max && p->pid[slot] != pid; slot++)
			;
		if (slot == p->conf->max)
			continue;
		p->pid[slot] = 0;
		atomic_store(&p->board->state[slot], SLOT_FREE);
		if (WIFSIGNALED(status) || WEXITSTATUS(status) != CHAIN_DONE) {
			char how[32];

			snprintf(how, sizeof how, "%s %d", WIFSIGNALED(status) ? "signal" : "exit",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			log_event(&p->log, "lost", "worker", how, (char *)NULL);
			if (!WIFSIGNALED(status)) /* one that cannot start would be replaced as fast as we can fork */
				p->lost_ms = clock_ms();
		}
	}
}

/* All workers are busy and there may be no more: a session is told so at once. */
static void
turn_away(struct pool *p)
{
	struct call call = { .in = -1, .out = -1, .envelope = -1, .stop = -1, .resident = true, .log = p->log };
	struct buf b = { 0 };
	int fd = os_accept(p->listener);

	if (fd < 0)
		return;
	if (handover_receive(fd, &call, p->stage->kind, &p->conf->allow) == 0) {
		call.log.session = facts_get(&call.facts, "MSA_SESSION");
		log_event(&call.log, "refused", "reason", "all workers are busy", (char *)NULL);
		if (handover_acknowledge(fd) == 0 && reply_add(&b, REPLY_SHUTDOWN) == 0 &&
		    send(call.out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_error(&call.log, "failed", "client:");
		buf_free(&b);
	}
	close(fd);
	stage_end(&call);
}

static void
signal_all(const struct pool *p, int signo)
{
	int i;

	for (i = 0; i < p->conf->max; i++)
		if (p->pid[i])
			kill(p->pid[i], signo);
}

/* The end: tell everybody, wait, and after POOL_STOP_S do not wait any more. */
static void
finish(struct pool *p)
{
	int64_t end = clock_ms() + POOL_STOP_S * 1000;
	int i, left;

	close(p->listener);
	if (p->conf->path)
		unlink(p->conf->path);
	close(p->stop[1]);
	for (;;) {
		reap(p);
		for (left = 0, i = 0; i < p->conf->max; i++)
			left += p->pid[i] != 0;
		if (left == 0)
			return;
		if (clock_left(end) == 0)
			break;
		signal_all(p, SIGTERM); /* again and again: one may have come just before accept */
		poll(NULL, 0, 50);
	}
	signal_all(p, SIGKILL);
}

static void
reload(struct pool *p)
{
	if (p->stage->reload && p->stage->reload(p->stage_conf, &p->log) < 0) {
		log_event(&p->log, "kept", "reason", "reload failed", (char *)NULL);
		return;
	}
	atomic_fetch_add(&p->board->generation, 1);
	signal_all(p, SIGTERM); /* idle ones look at the generation now, busy ones after their call */
	log_event(&p->log, "reloaded", (char *)NULL);
}

/* false: the end. */
static bool
turn(struct pool *p)
{
	struct pollfd f[3] = {
		{ .fd = p->signals, .events = POLLIN },
		{ .fd = p->wake[0], .events = POLLIN },
		{ .fd = p->listener, .events = POLLIN },
	};
	bool cooling = p->lost_ms && clock_ms() - p->lost_ms < 1000, full;
	char octets[64];
	int slot, signo;

	if (!cooling)
		fill(p);
	for (slot = 0; slot < p->conf->max && p->pid[slot]; slot++)
		;
	full = slot == p->conf->max && idle(p) == 0 && p->stage->kind == STAGE_SESSION;
	if (poll(f, full ? 3 : 2, cooling || full ? 100 : -1) < 0)
		return true;
	if (f[1].revents && read(p->wake[0], octets, sizeof octets) < 0)
		return true;
	while (f[0].revents && (signo = os_signal(p->signals)) > 0) {
		if (signo == SIGTERM || signo == SIGINT)
			return false;
		if (signo == SIGHUP)
			reload(p);
	}
	reap(p);
	if (full && f[2].revents && idle(p) == 0)
		turn_away(p);
	return true;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	mode_t mask;

	if (fd < 0)
		return -1;
	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		goto fail;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0) {
		errno = EADDRINUSE; /* somebody listens there */
		goto fail;
	}
	close(fd); /* a socket that failed to connect is of no more use */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	mask = umask(0); /* who may call is told by uid, not by the file's mode */
	r = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	umask(mask);
	if (r == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
fail:
	r = errno;
	close(fd);
	errno = r;
	return -1;
}

static int
make(struct pool *p)
{
	struct timeval tv = { p->stage->idle_s ? p->stage->idle_s : POOL_IDLE_S, 0 };
	size_t size = sizeof *p->board + (size_t)p->conf->max;

	p->listener = p->conf->path ? listen_at(p->conf->path) : p->conf->fd;
	if (p->listener < 0) {
		log_error(&p->log, "failed", "%s:", p->conf->path ? p->conf->path : "listening socket");
		return -1;
	}
	fcntl(p->listener, F_SETFD, FD_CLOEXEC);
	/* accept gives up after a while, so an idle worker can see that it is not needed */
	setsockopt(p->listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	p->board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p->pid = calloc((size_t)p->conf->max, sizeof *p->pid);
	if (p->board == MAP_FAILED || !p->pid || pipe(p->wake) < 0 || pipe(p->stop) < 0 ||
	    (p->signals = os_signals()) < 0) {
		log_error(&p->log, "failed", "pool:");
		return -1;
	}
	fcntl(p->wake[0], F_SETFD, FD_CLOEXEC);
	fcntl(p->wake[1], F_SETFD, FD_CLOEXEC);
	fcntl(p->stop[0], F_SETFD, FD_CLOEXEC);
	fcntl(p->stop[1], F_SETFD, FD_CLOEXEC);
	fcntl(p->wake[0], F_SETFL, O_NONBLOCK);
	fcntl(p->wake[1], F_SETFL, O_NONBLOCK);
	return 0;
}

int
pool_run(const struct stage *stage, void *conf, const struct pool_conf *pool)
{
	struct pool p = { .stage = stage, .stage_conf = conf, .conf = pool, .listener = -1, .signals = -1 };

	log_open(&p.log, stage->name, -1);
	signal(SIGPIPE, SIG_IGN);
	if (make(&p) < 0)
		return CHAIN_LATER;
	fill(&p);
	if (os_ready(pool->notify_fd) < 0)
		log_error(&p.log, "failed", "readiness:");
	log_event(&p.log, "ready", "socket", pool->path, (char *)NULL);
	while (turn(&p))
		;
	finish(&p);
	log_event(&p.log, "stopped", (char *)NULL);
	free(p.pid);
	return CHAIN_DONE;
}
