/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include "tlsd/worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "chain/limits.h"
#include "tlsd/connection.h"
#include "tlsd/events.h"

enum {
	BATCH = 64,      /* events taken at once */
	LOOK_MS = 1000,  /* the least time between two looks at the files */
	QUIET_MS = 1000, /* without an event, after which memory is given back */
	PAUSE_MS = 100,  /* without accept, after it failed for lack of resources */
};

struct worker {
	const struct tlsworker_conf *conf;
	struct events events;
	struct watch listener, stop, signals, wake;
	bool listening; /* connections are accepted */
	bool paused;    /* but not before paused_ms; the listening socket is not watched */
	bool stopping;
	int64_t paused_ms;
	int64_t looked_ms; /* when the files were looked at last */
	struct connections all;
};

/* Look whether the files have changed, when a client comes. The parent looks at the keys, each worker at the rules. */
static void
look_at_files(struct worker *w)
{
	int64_t now = clock_ms();

	if (now < w->looked_ms + LOOK_MS)
		return;
	w->looked_ms = now;
	if (write(w->conf->wake, "", 1) < 0) {
		/* the pipe is full: the parent is awake */
	}
	if (w->conf->rules && tcprules_refresh(w->conf->rules) < 0)
		log_error(&w->all.log, "kept", "%s: %s", w->conf->rules->table.path, table_why(errno));
}

/* Accept no connections for PAUSE_MS. The listening socket is not watched meanwhile. */
static void
pause_accept(struct worker *w)
{
	w->paused = true;
	w->paused_ms = clock_ms() + PAUSE_MS;
	connections_expect(&w->all, w->paused_ms);
}

static void
admit(struct worker *w)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int fd = accept4(w->listener.fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_error(&w->all.log, "failed", "accept:");
			events_remove(&w->events, &w->listener);
			pause_accept(w);
		}
		return;
	}
	if (events_listen(&w->events, &w->listener) < 0) { /* the other workers come first now */
		log_error(&w->all.log, "failed", "listening socket:");
		pause_accept(w);
	}
	look_at_files(w);
	connection_accept(&w->all, fd, &ss);
}

/* Accept no more connections. */
static void
retire(struct worker *w)
{
	if (!w->listening)
		return;
	if (!w->paused)
		events_remove(&w->events, &w->listener);
	w->listening = w->paused = false;
	close(w->listener.fd);
}

static void
stop(struct worker *w)
{
	retire(w);
	if (!w->stopping)
		connections_stop(&w->all);
	w->stopping = true;
}

static void
take_signals(struct worker *w)
{
	int signo;

	while ((signo = os_signal(w->signals.fd)) > 0)
		if (signo == SIGTERM || signo == SIGINT)
			stop(w);
		else if (signo == SIGHUP)
			retire(w);
		else
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
}

static void
take_event(struct worker *w, const struct event *e)
{
	if (e->watch == &w->listener) {
		if (w->listening)
			admit(w);
	} else if (e->watch == &w->stop)
		stop(w);
	else if (e->watch == &w->signals)
		take_signals(w);
	else if (e->watch == &w->wake)
		; /* connections_make_room follows */
	else
		connection_event(e->watch->owner, e);
}

static void
look_at_clock(struct worker *w)
{
	int64_t now = clock_ms();

	if (w->all.next_ms == 0 || now < w->all.next_ms)
		return;
	connections_look_at_clock(&w->all, now);
	if (w->paused && now >= w->paused_ms) {
		w->paused = false;
		if (events_listen(&w->events, &w->listener) < 0)
			pause_accept(w); /* logged when the first attempt failed */
	} else if (w->paused)
		connections_expect(&w->all, w->paused_ms);
}

static void
run(struct worker *w)
{
	struct event e[BATCH];
	bool used = false; /* since memory was given back */
	size_t n, i;

	while (w->listening || w->all.n > 0) {
		int left = connections_are_ready(&w->all) ? 0 : w->all.next_ms ? clock_left(w->all.next_ms) : -1;

		n = events_wait(&w->events, e, BATCH, used && (left < 0 || left > QUIET_MS) ? QUIET_MS : left);
		if (n == 0 && used && left != 0)
			os_give_back();
		used = n > 0 || left == 0;
		for (i = 0; i < n; i++)
			take_event(w, &e[i]);
		connections_make_room(&w->all);
		look_at_clock(w);
		connections_go_on(&w->all);
	}
}

int
tlsworker_run(const struct tlsworker_conf *conf)
{
	struct worker w = { .conf = conf, .listener = { .fd = conf->listener }, .stop = { .fd = conf->stop },
		.wake = { .fd = conf->limits->wake }, .listening = true,
		.all = { .server = conf->server, .facts = conf->facts, .limits = conf->limits, .rules = conf->rules,
		    .log = *conf->log } };

	w.all.events = &w.events;
	if (events_open(&w.events) < 0 || (w.signals.fd = os_signals()) < 0 || events_add(&w.events, &w.signals) < 0 ||
	    events_add(&w.events, &w.stop) < 0 || events_add(&w.events, &w.wake) < 0 ||
	    events_listen(&w.events, &w.listener) < 0) {
		log_error(&w.all.log, "failed", "events:");
		return CHAIN_LATER;
	}
	connections_open(&w.all);
	run(&w);
	connections_close(&w.all);
	events_close(&w.events);
	return CHAIN_DONE;
}
