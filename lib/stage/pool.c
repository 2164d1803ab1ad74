/* ISC licence, see LICENSE. */
#include "stage/pool.h"

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
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/os.h"
#include "base/user.h"
#include "chain/limits.h"
#include "msa/buf.h"
#include "stage/sandbox.h"
#include "stage/spawn.h"

/*
 * Design: normally nothing passes between the parent and its workers. A board in shared memory has the state of each
 * worker. A worker that takes a call and finds no other worker idle wakes the parent with one octet. The parent tells
 * its workers something by closing a pipe, so its death tells them the same. The pipe retire ends the workers that have
 * no call; the pipe stop (call.stop) ends sessions at their next command. Only the parent acts on signals.
 *
 * A worker may be a stranger's by now. So the parent reads nothing that workers or callers send: it counts octets in
 * the pipe wake without looking at them, and takes what stands on the board as numbers that may be wrong. A process
 * of its own, the usher, refuses sessions while all workers are busy. An errand is a process of its own too.
 */
enum { SLOT_FREE, SLOT_IDLE, SLOT_BUSY };

enum {
	PACE_MS = 200,       /* between two forks, after a worker has failed */
	TURN_AWAY_MS = 100,  /* for a caller to send a call that will be refused */
	REAP_MS = 100,       /* after a call, by when a program that gave its verdict has ended */
	FULL_LOOK_MS = 100,  /* between two looks for an idle worker, while all are busy */
	USHER_MS = 1000,     /* without a call to refuse, after which the usher ends */
	LOOK_MS = 1000,      /* after its start, from when on a worker looks whether a file has changed */
	WORKER_STALE = 99,   /* exit code of a worker that found a file changed: it took no call, and the parent reloads */
	ERRAND_MAX_S = 60,   /* the longest pause after an errand that failed; the first is 1 s */
};

struct worker {
	pid_t pid; /* 0: the slot is free */
	int64_t since_ms;
};

struct pool {
	const struct instance *instance;
	const struct pool_conf *conf;
	int idle_s;          /* seconds without a call until a worker lets go of what it kept; 0: when it ends */
	struct log log;
	int listener;
	int wake[2];         /* workers to parent: no worker is idle */
	int stop[2];         /* the parent closes [1] at the end of the service */
	int retire[2];       /* the same for workers that wait for a call; a new pipe at each reload */
	int signals;         /* os_signals */
	atomic_uchar *board; /* the state of each slot, shared */
	struct worker *worker;
	pid_t usher;         /* 0: there is none */
	const struct instance *sends; /* the stage that has an errand; NULL: none */
	pid_t errand;        /* 0: it does not run */
	int64_t errand_ms;   /* when it is due (clock_ms) */
	int errand_pause_s;  /* after the last one, which failed; 0: it did not */
	struct sandbox sandbox;
	int64_t pace_ms;     /* do not fork before this time (clock_ms) */
	bool owed;           /* a worker died that may have been woken for a call */
};

static int
idle(const struct pool *p)
{
	int i, n = 0;

	for (i = 0; i < p->conf->max; i++)
		n += atomic_load(&p->board[i]) == SLOT_IDLE;
	return n;
}

static int
make_pipe(int fd[2])
{
	int i;

	if (pipe(fd) < 0)
		return -1;
	for (i = 0; i < 2; i++)
		if (fcntl(fd[i], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd[i], F_SETFL, O_NONBLOCK) < 0)
			return -1;
	return 0;
}

static void
log_refused(const struct call *call, uid_t uid)
{
	char text[24];
	int e = errno;

	if (!log_permit(&call->log))
		return;
	snprintf(text, sizeof text, "%lld", (long long)uid);
	log_event(&call->log, "refused", "reason", "call", "error", handover_why(e, false), "uid", text, (char *)NULL);
}

/* The worker */

static void
survive(int signo)
{
	(void)signo; /* a handler, because SIG_IGN would survive an exec */
}

static void
serve(struct pool *p, int fd)
{
	const struct instance *i = p->instance;
	bool message = i->kind == STAGE_MESSAGE;
	struct call call = {
		.kind = message ? CALL_MESSAGE : CALL_SESSION,
		.in = -1,
		.out = -1,
		.envelope = -1,
		.stop = p->stop[0],
		.next = &i->next,
		.log = p->log,
	};
	bool ignored;

	if (handover_receive(fd, &call, call.kind, &p->conf->allow, HANDOVER_WAIT_MS, &call.caller) < 0) {
		log_refused(&call, call.caller);
		close(fd);
		return;
	}
	ignored = p->conf->doubt && call.caller != 0 && call.caller != geteuid() && facts_disown(&call.facts);
	if (call_learn(&call, i->stage->owner) < 0) {
		log_error(&call.log, "failed", "environment:");
		close(fd);
	} else if (message && !call.log.message) {
		errno = EPROTO; /* a message call must have an id */
		log_refused(&call, call.caller);
		close(fd);
	} else if (message && call_is_over(&call)) {
		log_event(&call.log, "dropped", "reason", "nobody waits for the verdict any more", (char *)NULL);
		close(fd);
	} else if (message || handover_acknowledge(fd) == 0) {
		close(fd);
		if (ignored && log_permit(&call.log))
			log_event(&call.log, "ignored", "facts", "RELAYCLIENT or MSA_X_*", "why", "without -F", (char *)NULL);
		i->stage->serve(&call, i->conf);
	} else
		close(fd); /* the caller is gone, and has told its client */
	call_end(&call);
}

/* Serve calls. Returns an exit code. */
static int
work(struct pool *p, int slot)
{
	atomic_uchar *state = &p->board[slot];
	struct os_waiter w;
	/* quiet_s: since the last call. After idle_s, let go of what was kept; after POOL_IDLE_S, end if superfluous. */
	int quiet_s = 0, calls = 0;
	int64_t start_ms = clock_ms();
	bool has_child = false; /* of the last call, when that ended */

	if (os_waiter_open(&w, p->listener, p->retire[0]) < 0) {
		log_error(&p->log, "failed", "worker:");
		return CHAIN_LATER;
	}
	while (calls < p->conf->calls) {
		int idle_s = p->idle_s, next_s = quiet_s < idle_s ? idle_s : POOL_IDLE_S;
		int wait_s = next_s > quiet_s ? next_s - quiet_s : POOL_IDLE_S;
		enum os_wait what = os_wait(&w, has_child ? REAP_MS : wait_s * 1000);
		int fd;

		if (what == OS_END)
			return CHAIN_DONE;
		if (what == OS_NOTHING) {
			if (has_child) {
				spawn_reap();
				has_child = false;
				continue;
			}
			quiet_s += wait_s;
			if (quiet_s >= idle_s)
				instance_idle(p->instance);
			if (quiet_s < POOL_IDLE_S)
				continue;
			quiet_s = POOL_IDLE_S;
			/* Become busy before counting the idle workers, so that two workers cannot both decide to end. */
			atomic_store(state, SLOT_BUSY);
			if (idle(p) >= p->conf->min)
				return CHAIN_DONE;
			atomic_store(state, SLOT_IDLE);
			continue;
		}
		/* A young worker takes the call in any case: a file that nobody can open must not keep workers from it. */
		if (clock_ms() >= start_ms + LOOK_MS && instance_changed(p->instance))
			return WORKER_STALE;
		fd = os_accept(p->listener);
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			log_error(&p->log, "failed", "accept:");
			return CHAIN_LATER;
		}
		atomic_store(state, SLOT_BUSY);
		if (idle(p) == 0 && write(p->wake[1], "", 1) < 0) {
			/* the pipe is full: the parent is awake */
		}
		serve(p, fd);
		calls++;
		quiet_s = 0;
		has_child = spawn_reap();
		atomic_store(state, SLOT_IDLE);
	}
	return CHAIN_DONE;
}

/* The parent */

/* In a child: keep what a worker needs. Ends the process if that fails. */
static void
settle(struct pool *p)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa = { .sa_handler = survive, .sa_flags = SA_RESTART };
	size_t i;

	for (i = 0; i < sizeof signals / sizeof *signals; i++) /* a supervisor may send them to every process */
		sigaction(signals[i], &sa, NULL);
	close(p->signals);
	os_signals_restore();
	close(p->stop[1]);
	close(p->retire[1]);
	close(p->wake[0]);
	free(p->worker); /* only the parent uses it */
	p->worker = NULL;
	if (p->conf->user && user_take(p->conf->user) < 0) {
		log_error(&p->log, "failed", "user:");
		_exit(CHAIN_MISUSE);
	}
	if (os_undumpable() < 0 || sandbox_enter(&p->sandbox, p->instance) < 0) {
		log_error(&p->log, "failed", "sandbox:");
		_exit(CHAIN_LATER);
	}
}

static void
become_worker(struct pool *p, int slot)
{
	int code;

	settle(p);
	code = work(p, slot);
	instance_idle(p->instance);
	_exit(code);
}

static int
free_slot(const struct pool *p)
{
	int slot;

	for (slot = 0; slot < p->conf->max && p->worker[slot].pid; slot++)
		;
	return slot;
}

static int
start(struct pool *p)
{
	int slot = free_slot(p);
	pid_t pid;

	if (slot == p->conf->max)
		return -1;
	atomic_store(&p->board[slot], SLOT_IDLE);
	pid = fork();
	if (pid < 0) {
		atomic_store(&p->board[slot], SLOT_FREE);
		p->pace_ms = clock_ms() + PACE_MS;
		log_error(&p->log, "failed", "fork:");
		return -1;
	}
	if (pid == 0)
		become_worker(p, slot);
	p->worker[slot] = (struct worker){ pid, clock_ms() };
	return 0;
}

/* Start workers until min are idle. If a worker died, start one more, for the call that it may have been woken for. */
static void
fill(struct pool *p)
{
	if (clock_left(p->pace_ms) > 0)
		return;
	if (p->owed)
		start(p);
	p->owed = false;
	while (idle(p) < p->conf->min && start(p) == 0)
		;
}

static void
log_lost(const struct pool *p, int status)
{
	char how[32];

	snprintf(how, sizeof how, "%s %d", WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	log_event(&p->log, "lost", "worker", how, "reason",
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "bad system call" : NULL, (char *)NULL);
}

/* The errand's process has ended: decide when the next one is due. */
static void
end_errand(struct pool *p, int status)
{
	bool done = WIFEXITED(status) && WEXITSTATUS(status) == CHAIN_DONE;
	int twice = p->errand_pause_s ? 2 * p->errand_pause_s : 1;

	p->errand = 0;
	p->errand_pause_s = done ? 0 : twice < ERRAND_MAX_S ? twice : ERRAND_MAX_S;
	p->errand_ms = clock_ms() + (int64_t)(done ? p->sends->errand_s : p->errand_pause_s) * 1000;
	if (WIFSIGNALED(status))
		log_lost(p, status);
}

/* Reap the workers that have ended, and free their slots. Returns true if one of them was stale. */
static bool
reap(struct pool *p)
{
	bool stale = false;
	int status, slot;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (slot = 0; slot < p->conf->max && p->worker[slot].pid != pid; slot++)
			;
		if (pid == p->usher) {
			p->usher = 0;
			if (WIFSIGNALED(status))
				log_lost(p, status);
		}
		if (pid == p->errand)
			end_errand(p, status);
		if (slot == p->conf->max)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STALE)
			stale = true;
		else if (WIFSIGNALED(status) || WEXITSTATUS(status) != CHAIN_DONE) {
			log_lost(p, status);
			p->owed = true;
			/* Otherwise workers that always fail would be replaced as fast as we can fork. */
			if (WIFEXITED(status) || clock_ms() - p->worker[slot].since_ms < PACE_MS)
				p->pace_ms = clock_ms() + PACE_MS;
		}
		p->worker[slot].pid = 0;
		atomic_store(&p->board[slot], SLOT_FREE);
	}
	return stale;
}

/* The usher */

static void
turn_away(struct pool *p, int fd)
{
	struct call call = { .kind = CALL_SESSION, .in = -1, .out = -1, .envelope = -1, .stop = -1, .log = p->log };
	struct buf b = { 0 };
	uid_t uid;

	if (handover_receive(fd, &call, call.kind, &p->conf->allow, TURN_AWAY_MS, &uid) < 0)
		log_refused(&call, uid);
	else {
		call.log.session = facts_get(&call.facts, "MSA_SESSION");
		if (log_permit(&call.log))
			log_event(&call.log, "refused", "reason", "all workers are busy", (char *)NULL);
		if (handover_acknowledge(fd) == 0 && reply_add(&b, REPLY_SHUTDOWN) == 0 &&
		    send(call.out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_error(&call.log, "failed", "client:");
		buf_free(&b);
	}
	close(fd);
	call_end(&call);
}

/* Refuse sessions until a worker is idle, or none has come for a while. */
static void
refuse_all(struct pool *p)
{
	struct pollfd f[2] = { { .fd = p->listener, .events = POLLIN }, { .fd = p->retire[0], .events = POLLIN } };
	int64_t end = clock_ms() + USHER_MS;

	while (idle(p) == 0 && clock_left(end) > 0) {
		int fd = os_accept(p->listener);

		if (fd >= 0) {
			turn_away(p, fd);
			end = clock_ms() + USHER_MS;
		} else if (poll(f, 2, FULL_LOOK_MS) > 0 && f[1].revents)
			return;
	}
}

/* All max workers are busy, and a session waits: start the usher. */
static void
start_usher(struct pool *p)
{
	p->usher = fork();
	if (p->usher == 0) {
		settle(p);
		refuse_all(p);
		_exit(CHAIN_DONE);
	}
	if (p->usher < 0) {
		p->usher = 0;
		p->pace_ms = clock_ms() + PACE_MS;
		log_error(&p->log, "failed", "fork:");
	}
}

static void
start_errand(struct pool *p)
{
	struct log log = p->log;

	log.stage = p->sends->stage->name;
	p->errand = fork();
	if (p->errand == 0) {
		settle(p);
		_exit(p->sends->errand(p->sends, &log));
	}
	if (p->errand < 0) {
		p->errand = 0;
		p->errand_ms = clock_ms() + ERRAND_MAX_S * 1000;
		log_error(&p->log, "failed", "fork:");
	}
}

/* End the service: tell the workers, wait for them, and kill those that still run after POOL_STOP_S. */
static void
finish(struct pool *p)
{
	int64_t end = clock_ms() + POOL_STOP_S * 1000;
	struct pollfd f = { .fd = p->signals, .events = POLLIN };
	int i, left;

	if (p->conf->path)
		unlink(p->conf->path); /* before close: afterwards another process may have made a socket there */
	close(p->listener);
	close(p->retire[1]);
	close(p->stop[1]);
	if (p->errand)
		kill(p->errand, SIGKILL); /* nobody waits for it */
	for (;;) {
		reap(p);
		for (left = (p->usher != 0) + (p->errand != 0), i = 0; i < p->conf->max; i++)
			left += p->worker[i].pid != 0;
		if (left == 0)
			return;
		if (clock_left(end) == 0)
			break;
		poll(&f, 1, clock_left(end));
		while (os_signal(p->signals) > 0)
			;
	}
	for (i = 0; i < p->conf->max; i++)
		if (p->worker[i].pid)
			kill(p->worker[i].pid, SIGKILL);
	if (p->usher)
		kill(p->usher, SIGKILL);
}

/* Reload. The workers with the old files end: idle ones at once, busy ones after their call. */
static void
reload(struct pool *p)
{
	int fresh[2], r = instance_reload(p->instance, &p->log);
	bool anew = r >= 0 || instance_watches(p->instance); /* workers that look at files learn that these are refused */

	p->errand_ms = clock_ms();
	if (anew && make_pipe(fresh) < 0) {
		log_error(&p->log, "failed", "reload:");
		return;
	}
	if (anew) {
		close(p->retire[0]);
		close(p->retire[1]);
		memcpy(p->retire, fresh, sizeof fresh);
	}
	if (r < 0)
		log_event(&p->log, "kept", "reason", "the new files cannot be used", (char *)NULL);
	else
		log_event(&p->log, r == 0 ? "reloaded" : "kept", "reason", r == 0 ? NULL : "some of the new files cannot be used",
		    (char *)NULL);
}

/* Wait for an event and handle it. Returns false at the end of the service. */
static bool
turn(struct pool *p)
{
	struct pollfd f[3] = {
		{ .fd = p->signals, .events = POLLIN },
		{ .fd = p->wake[0], .events = POLLIN },
		{ .fd = p->listener, .events = POLLIN },
	};
	char octets[64];
	bool full;
	int signo, wait_ms;

	fill(p);
	if (p->sends && !p->errand && clock_left(p->errand_ms) == 0)
		start_errand(p);
	full = p->instance->kind == STAGE_SESSION && free_slot(p) == p->conf->max && idle(p) == 0;
	wait_ms = clock_left(p->pace_ms) > 0 ? clock_left(p->pace_ms) : full ? FULL_LOOK_MS : -1;
	if (p->sends && !p->errand && (wait_ms < 0 || wait_ms > clock_left(p->errand_ms)))
		wait_ms = clock_left(p->errand_ms);
	if (poll(f, full && !p->usher && clock_left(p->pace_ms) == 0 ? 3 : 2, wait_ms) < 0)
		return true;
	while (f[1].revents && read(p->wake[0], octets, sizeof octets) == sizeof octets)
		;
	while (f[0].revents && (signo = os_signal(p->signals)) > 0) {
		if (signo == SIGTERM || signo == SIGINT)
			return false;
		if (signo == SIGHUP)
			reload(p);
	}
	if (reap(p)) {
		p->owed = true; /* the call that it did not take */
		if (instance_changed(p->instance))
			reload(p);
	}
	if (f[2].revents && idle(p) == 0)
		start_usher(p);
	return true;
}

static int
unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/*
 * Make room for a socket at sun: remove a socket at which nobody listens, and nothing else. Returns 0, or -1 with errno
 * set (EADDRINUSE: somebody listens there; EEXIST: the file is not a socket).
 */
static int
clear(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, e;

	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = unix_socket();
	if (fd < 0)
		return -1;
	e = connect(fd, (const struct sockaddr *)sun, sizeof *sun) == 0 ? EADDRINUSE : errno;
	close(fd);
	if (e == ECONNREFUSED) /* nobody listens there */
		return unlink(sun->sun_path);
	errno = e == EAGAIN ? EADDRINUSE : e;
	return -1;
}

/*
 * Who may connect. A caller's uid and groups decide whether it may call, and the mode keeps others from the socket
 * where a mode can: where nobody is named with -A, or one user is, and root can give that user the socket, or one group
 * is.
 */
struct access {
	mode_t mode;
	uid_t owner; /* (uid_t)-1: ours */
	gid_t group;
};

static struct access
access_for(const struct pool_conf *conf)
{
	const uid_t same = (uid_t)-1;
	const gid_t own = conf->user ? conf->user->gid : (gid_t)-1;
	bool root = geteuid() == 0;

	if (conf->allow.n == 0 && conf->allow.ngid == 1)
		return (struct access){ 0660, root && conf->user ? conf->user->uid : same, conf->allow.gid[0] };
	if (conf->allow.ngid > 0)
		return (struct access){ 0666, same, (gid_t)-1 };
	if (conf->allow.n == 0)
		return (struct access){ 0600, root && conf->user ? conf->user->uid : same, (gid_t)-1 };
	if (conf->allow.n == 1 && root) /* the group: our own user may call too */
		return (struct access){ conf->user ? 0660 : 0600, conf->allow.uid[0], own };
	return (struct access){ 0666, same, (gid_t)-1 };
}

static int
listen_at(const struct pool_conf *conf)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const struct access a = access_for(conf);
	const char *path = conf->path;
	mode_t mask;
	int fd, r;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (clear(&sun) < 0)
		return -1;
	fd = unix_socket();
	if (fd < 0)
		return -1;
	mask = umask(0777 & ~a.mode);
	r = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	umask(mask);
	if (r == 0 && (a.owner != (uid_t)-1 || a.group != (gid_t)-1) && lchown(path, a.owner, a.group) < 0)
		r = chmod(path, 0666); /* root without CAP_CHOWN; a group that is not ours to give */
	if (r == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	r = errno;
	close(fd);
	errno = r;
	return -1;
}

/* Make the listening socket fd non-blocking. Returns fd, or -1 with errno set (EINVAL: it does not listen). */
static int
take_listener(int fd)
{
	int on = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof on;

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0)
		return -1;
	if (!on) {
		errno = EINVAL;
		return -1;
	}
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
}

/* Make what parent and workers share. Returns 0, or a chain_exit code. */
static int
make(struct pool *p)
{
	size_t max = (size_t)p->conf->max;

	p->listener = p->conf->path ? listen_at(p->conf) : take_listener(p->conf->fd);
	if (p->listener < 0) {
		log_error(&p->log, "failed", "%s:", p->conf->path ? p->conf->path : "listening socket");
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? CHAIN_LATER : CHAIN_MISUSE;
	}
	if (p->conf->notify_fd >= 0)
		fcntl(p->conf->notify_fd, F_SETFD, FD_CLOEXEC);
	os_close_inherited(CHAIN_FD_LOG + 1);
	p->board = mmap(NULL, max, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p->worker = calloc(max, sizeof *p->worker);
	p->log.budget = log_budget_new();
	if (p->board == MAP_FAILED || !p->worker || !p->log.budget || make_pipe(p->wake) < 0 || make_pipe(p->stop) < 0 ||
	    make_pipe(p->retire) < 0 || (p->signals = os_signals()) < 0) {
		log_error(&p->log, "failed", "pool:");
		return CHAIN_LATER;
	}
	return 0;
}

int
pool_run(const struct instance *instance, const struct pool_conf *pool)
{
	struct pool p = { .instance = instance, .conf = pool, .listener = -1, .signals = -1 };
	struct os_notify notify;
	int r;

	p.idle_s = instance_idle_s(instance);
	for (p.sends = instance; p.sends && !p.sends->errand;)
		p.sends = p.sends->next.how == NEXT_INNER ? p.sends->next.inner : NULL;
	log_open(&p.log, instance->stage->name, -1);
	os_notify_take(&notify, pool->notify_fd); /* before the first fork: workers start programs */
	sandbox_state(&p.sandbox, instance, CONFINE_ACCEPT);
	r = sandbox_prepare(&p.sandbox, &p.log);
	if (r == CHAIN_DONE)
		r = make(&p);
	if (r != CHAIN_DONE)
		return r;
	os_undumpable(); /* or a worker could change this process, and so every later worker */
	if (pool->user && confine_parent(instance_reloads(instance)) < 0)
		log_error(&p.log, "failed", "capabilities:");
	fill(&p);
	if (os_ready(&notify, "") < 0)
		log_error(&p.log, "failed", "readiness:");
	log_event(&p.log, "ready", "socket", pool->path, (char *)NULL);
	while (turn(&p))
		;
	finish(&p);
	log_budget_end(&p.log);
	log_event(&p.log, "stopped", (char *)NULL);
	sandbox_free(&p.sandbox);
	free(p.worker);
	return CHAIN_DONE;
}
