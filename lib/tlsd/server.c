/* ISC licence, see LICENSE. */
#include "tlsd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/user.h"
#include "chain/facts.h"
#include "chain/limits.h"
#include "chain/offerfile.h"
#include "msa/stage.h"
#include "net/ipaddr.h"
#include "net/listen.h"
#include "stage/pool.h"
#include "stage/sandbox.h"
#include "tlsd/admission.h"
#include "tlsd/conf.h"
#include "tlsd/openssl.h"
#include "tlsd/tcprules.h"
#include "tlsd/worker.h"

enum {
	COOL_MS = 1000, /* before a worker that failed is replaced */
	LOOK_MS = 500,  /* the least time between two looks at the keys */
	FD_EACH = 3,    /* descriptors of a connection, at most */
	FD_MORE = 64,   /* other descriptors of a worker */
};

struct slot {
	pid_t pid;  /* 0: free */
	bool old;   /* the worker accepts no more connections */
};

struct server {
	struct tlsserver_conf *conf;
	struct log log;
	struct facts facts;
	int listener, signals;
	struct admission limits;
	struct tcprules rules;
	int wake[2];     /* workers write to the parent: look at the keys */
	unsigned long long stamp; /* of the keys that were read last, good or not */
	int64_t looked_ms;
	int stop[2];     /* [1] is closed when the service ends or the parent is killed */
	struct slot slot[TLSSERVER_WORKERS_MAX];
	struct os_notify notify;
	struct user user;        /* conf->user */
	char *offers;            /* the file that MSA_EHLO names; NULL: none */
	struct sandbox sandbox;  /* of a worker */
	int64_t lost_ms; /* when a worker failed last; 0: never */
	int code;
};

/* Read the keys. Returns 0, or -1 with the reason logged; then the old context stays, if there is one yet. */
static int
load(struct server *s)
{
	struct buf why = { 0 };
	struct tls *tls;

	s->stamp = tlsconf_stamp(&s->conf->keys); /* first, so that a change while we read is seen next time */
	tls = tlsconf_server(&s->conf->keys, &s->conf->pump.authority, &why);
	if (!tls)
		log_error(&s->log, "misuse", "%s%s", why.p ? why.p : "", s->conf->pump.optional && !s->conf->pump.tls ?
		    ": no STARTTLS" : "");
	else {
		tls_free(s->conf->pump.tls);
		s->conf->pump.tls = tls;
	}
	buf_free(&why);
	return tls ? 0 : -1;
}

/* In a worker. Returns an exit code. */
static int
work(struct server *s, unsigned slot)
{
	struct tlsworker_conf conf = {
		.server = s->conf,
		.facts = &s->facts,
		.log = &s->log,
		.limits = &s->limits,
		.rules = s->conf->rules ? &s->rules : NULL,
		.listener = s->listener,
		.wake = s->wake[1],
		.stop = s->stop[0],
	};

	s->limits.worker = slot;
	if (s->notify.fd >= 0)
		close(s->notify.fd);
	close(s->wake[0]);
	close(s->stop[1]);
	close(s->signals);
	if (s->conf->user && user_take(&s->user) < 0) {
		log_error(&s->log, "failed", "user %s:", s->conf->user);
		return CHAIN_LATER;
	}
	if (os_undumpable() < 0 || sandbox_enter(&s->sandbox, NULL) < 0) {
		log_error(&s->log, "failed", "sandbox:");
		return CHAIN_LATER;
	}
	return tlsworker_run(&conf);
}

static int
start(struct server *s)
{
	size_t i;
	pid_t pid;

	for (i = 0; i < TLSSERVER_WORKERS_MAX && s->slot[i].pid; i++)
		;
	if (i == TLSSERVER_WORKERS_MAX)
		return -1;
	pid = fork();
	if (pid == 0)
		_exit(work(s, (unsigned)i));
	if (pid < 0) {
		log_error(&s->log, "failed", "fork:");
		s->lost_ms = clock_ms();
		return -1;
	}
	s->slot[i] = (struct slot){ .pid = pid };
	return 0;
}

static int
count(const struct server *s, bool old)
{
	int i, n = 0;

	for (i = 0; i < TLSSERVER_WORKERS_MAX; i++)
		n += s->slot[i].pid && (old || !s->slot[i].old);
	return n;
}

static void
reap(struct server *s)
{
	int status, i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < TLSSERVER_WORKERS_MAX && s->slot[i].pid != pid; i++)
			;
		if (i == TLSSERVER_WORKERS_MAX)
			continue;
		s->slot[i].pid = 0;
		admission_lost(&s->limits, (unsigned)i);
		if (WIFSIGNALED(status) || WEXITSTATUS(status) != CHAIN_DONE) {
			char how[32];

			snprintf(how, sizeof how, "%s %d", WIFSIGNALED(status) ? "signal" : "exit",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			log_event(&s->log, "lost", "worker", how, "reason",
			    WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "bad system call" : NULL, (char *)NULL);
			if (!WIFSIGNALED(status))
				s->lost_ms = clock_ms();
			if (WIFEXITED(status) && WEXITSTATUS(status) == CHAIN_MISUSE)
				s->code = CHAIN_MISUSE; /* another worker would fail too */
		}
	}
}

static void
signal_all(const struct server *s, int signo)
{
	int i;

	for (i = 0; i < TLSSERVER_WORKERS_MAX; i++)
		if (s->slot[i].pid)
			kill(s->slot[i].pid, signo);
}

/* Read keys and rules again, and replace the workers. */
static void
reload(struct server *s)
{
	bool whole = !s->conf->rules || tcprules_renew(&s->rules) == 0;
	int i;

	if (!whole)
		log_error(&s->log, "failed", "%s: %s", s->conf->rules, table_why(errno));
	if (count(s, true) + s->conf->workers > TLSSERVER_WORKERS_MAX) {
		log_event(&s->log, "kept", "reason", "too many workers still have connections", (char *)NULL);
		return;
	}
	if (load(s) < 0) {
		log_event(&s->log, "kept", "reason", "reload failed", (char *)NULL);
		return;
	}
	signal_all(s, SIGHUP);
	for (i = 0; i < TLSSERVER_WORKERS_MAX; i++)
		s->slot[i].old = true;
	log_event(&s->log, whole ? "reloaded" : "kept", "reason", whole ? NULL : "the new rules cannot be used",
	    (char *)NULL);
}

/* A client came to a worker. Reload if the keys have changed. */
static void
look(struct server *s)
{
	int64_t now = clock_ms();
	char octets[256];

	if (read(s->wake[0], octets, sizeof octets) <= 0 || now < s->looked_ms + LOOK_MS)
		return;
	s->looked_ms = now;
	if (tlsconf_stamp(&s->conf->keys) != s->stamp)
		reload(s);
}

/* Returns false if the service must end. */
static bool
turn(struct server *s)
{
	struct pollfd f[2] = { { .fd = s->signals, .events = POLLIN }, { .fd = s->wake[0], .events = POLLIN } };
	int64_t now = clock_ms();
	bool cooling = s->lost_ms && now < s->lost_ms + COOL_MS;
	int signo;

	while (!cooling && count(s, false) < s->conf->workers && start(s) == 0)
		;
	if (poll(f, 2, count(s, false) < s->conf->workers ? COOL_MS / 4 : -1) < 0)
		return true;
	if (f[1].revents)
		look(s);
	while ((signo = os_signal(s->signals)) > 0)
		if (signo == SIGTERM || signo == SIGINT)
			return false;
		else if (signo == SIGHUP)
			reload(s);
	reap(s);
	return s->code == CHAIN_DONE;
}

static void
finish(struct server *s)
{
	int64_t end = clock_ms() + POOL_STOP_S * 1000;
	struct pollfd f = { .fd = s->signals, .events = POLLIN };

	close(s->listener);
	close(s->stop[1]);
	for (reap(s); count(s, true) > 0 && clock_left(end) > 0; reap(s)) {
		poll(&f, 1, clock_left(end));
		while (os_signal(s->signals) > 0)
			;
	}
	signal_all(s, SIGKILL);
}

/* Collect the facts of every connection: our environment without what describes a peer. */
static int
learn(struct server *s)
{
	static const char *const peer[] = { "PROTO", "MSA_SESSION", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST",
		"TCPREMOTEINFO", "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST", "RELAYCLIENT", "TCP6REMOTEIP", "REMOTE_ADDR",
		"TCPREMOTEADDR" };
	bool call = s->conf->next.how == NEXT_CALL;
	char name[64];
	size_t i, n;

	if (facts_from_environ(&s->facts) < 0)
		return -1;
	facts_claim(&s->facts, FACTS_TLSD);
	for (i = 0; i < sizeof peer / sizeof *peer; i++)
		facts_unset(&s->facts, peer[i]);
	for (i = s->facts.n; call && i > 0; i--) { /* a resident gets only the names of chain(7) */
		n = strcspn(s->facts.v[i - 1], "=");
		snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : 0, s->facts.v[i - 1]);
		if (*name && facts_owner(name) == FACTS_NOBODY)
			facts_unset(&s->facts, name);
	}
	return 0;
}

static int
listen_there(struct server *s)
{
	const int on = 1;

	s->listener = strcmp(s->conf->address, "0") == 0 ? listener_given() : listener_open(s->conf->address);
	if (s->listener < 0)
		return -1;
	/* Accepted connections inherit these options. */
	setsockopt(s->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(s->listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	fcntl(s->listener, F_SETFD, FD_CLOEXEC);
	return fcntl(s->listener, F_SETFL, O_NONBLOCK);
}

/* Raise the limit of open files. Not where programs are started, which would inherit it: chain(7) HANDOVER. */
static void
make_room(struct server *s)
{
	/* Connections that have to go hold their descriptors for a moment. */
	rlim_t need = ((rlim_t)s->conf->limits.total + s->conf->limits.early) * FD_EACH + FD_MORE;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= need)
		return;
	if (s->conf->next.how == NEXT_CALL) {
		rl.rlim_cur = need < rl.rlim_max ? need : rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	if (rl.rlim_cur < need)
		log_event(&s->log, "limit", "reason", "too few open files are allowed for so many connections", (char *)NULL);
}

/* Open everything that is needed before the first connection. Returns a chain_exit code. */
static int
prepare(struct server *s)
{
	struct tlsserver_conf *conf = s->conf;

	if (load(s) < 0 && !conf->pump.optional)
		return CHAIN_MISUSE;
	if (conf->rules && tcprules_open(&s->rules, conf->rules) < 0) {
		log_error(&s->log, "misuse", "%s: %s", conf->rules, table_why(errno));
		conf->rules = NULL; /* nothing to close */
		return CHAIN_MISUSE;
	}
	if (conf->user && user_find(&s->user, conf->user) < 0) { /* otherwise every worker would fail */
		log_error(&s->log, "misuse", "user %s:", conf->user);
		return CHAIN_MISUSE;
	}
	if ((s->code = guard_open(&conf->guard, &s->log)) != CHAIN_DONE)
		return s->code;
	if (listen_there(s) < 0) {
		bool misuse = errno == EINVAL;

		log_error(&s->log, misuse ? "misuse" : "failed", misuse ? "-l %s: not address:port" : "%s:", conf->address);
		return misuse ? CHAIN_MISUSE : CHAIN_LATER;
	}
	make_room(s);
	s->log.budget = log_budget_new();
	if (!s->log.budget || learn(s) < 0 || admission_open(&s->limits, &conf->limits, TLSSERVER_WORKERS_MAX) < 0 ||
	    pipe(s->stop) < 0 || pipe(s->wake) < 0 || (s->signals = os_signals()) < 0) {
		log_error(&s->log, "failed", "start:");
		return CHAIN_LATER;
	}
	fcntl(s->stop[0], F_SETFD, FD_CLOEXEC);
	fcntl(s->stop[1], F_SETFD, FD_CLOEXEC);
	fcntl(s->wake[0], F_SETFD, FD_CLOEXEC);
	fcntl(s->wake[1], F_SETFD, FD_CLOEXEC);
	fcntl(s->wake[0], F_SETFL, O_NONBLOCK);
	fcntl(s->wake[1], F_SETFL, O_NONBLOCK);
	return CHAIN_DONE;
}

/*
 * Prepare what the workers keep: a Unix socket for each handover, and the files that they open anew themselves, the
 * rules and the next hop's offers.
 */
static int
prepare_sandbox(struct server *s)
{
	const char *list = facts_get(&s->facts, "MSA_EHLO");

	s->offers = list ? offerfile_name(list) : NULL;
	s->sandbox = (struct sandbox){ .confine = { .may = CONFINE_ACCEPT | CONFINE_LOCAL },
		.starts = s->conf->next.how != NEXT_CALL };
	if (s->conf->rules)
		confine_reads(&s->sandbox.confine, s->conf->rules);
	if (s->offers)
		confine_reads(&s->sandbox.confine, s->offers);
	return sandbox_prepare(&s->sandbox, &s->log);
}

static void
say_ready(struct server *s)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct endpoint e;
	char text[ENDPOINT_TEXT] = "";

	if (getsockname(s->listener, (struct sockaddr *)&ss, &len) == 0 && endpoint_from(&e, &ss) == 0)
		endpoint_text(&e, text);
	if (os_ready(&s->notify, text) < 0)
		log_error(&s->log, "failed", "readiness:");
	log_event(&s->log, "ready", "address", text, (char *)NULL);
}

int
tlsserver_run(struct tlsserver_conf *conf)
{
	struct server s = { .conf = conf, .listener = -1 };

	log_open(&s.log, "tlsd", -1);
	os_notify_take(&s.notify, conf->notify_fd); /* before the environment is copied for the programs */
	openssl_start(conf->keys.ca);
	s.code = prepare(&s);
	if (s.code == CHAIN_DONE)
		s.code = prepare_sandbox(&s);
	if (s.code == CHAIN_DONE) {
		os_undumpable(); /* or a worker could change this process, and so every later worker */
		if (conf->user && confine_parent(true) < 0)
			log_error(&s.log, "failed", "capabilities:");
		while (count(&s, false) < conf->workers && start(&s) == 0)
			;
		say_ready(&s);
		while (turn(&s))
			;
		finish(&s);
		log_budget_end(&s.log);
		log_event(&s.log, "stopped", (char *)NULL);
	}
	sandbox_free(&s.sandbox);
	user_free(&s.user);
	facts_free(&s.facts);
	free(s.offers);
	admission_close(&s.limits);
	if (conf->rules)
		tcprules_close(&s.rules);
	guard_close(&conf->guard);
	tls_free(conf->pump.tls);
	authority_free(&conf->pump.authority);
	return s.code;
}
