/* ISC licence, see LICENSE. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agenda.h"
#include "base/file.h"
#include "base/finding.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "base/user.h"
#include "chain/limits.h"
#include "mail/report.h"
#include "round.h"
#include "smtp/addr.h"
#include "smtp/ehlo.h"

enum {
	LOOK_S = 60,       /* between looks at new, if nobody wakes us */
	PAUSE_S = 60,      /* after a failed round; first_s, if that is shorter */
	AT_ONCE = 20,      /* rounds at once */
	ATTEMPT_S = 300,
	FIRST_S = 60,
	MOST_S = 3600,
	LIFETIME_S = 172800,
	DELAY_S = 14400,
	MANY = 1000,
	MANY_MAX = 100000000,
	SECONDS_MAX = 31536000,
	ROUNDS_MAX = 10000,
	QUOTE_MAX = 16777216,
};

/* A round in a child process. */
struct running {
	pid_t pid;
	char id[ID_MAX];
};

struct runner {
	struct round_conf round;
	struct log log;
	struct agenda agenda;
	struct running *running; /* owned; room for most */
	int n, most;             /* rounds that run, and may run at once */
	int lock, signals, trigger;
	bool stopping;
	int many;                    /* -g: messages that are worth a line of the log; 0: never */
	size_t next_line;            /* so many messages cause the next one */
	const char *user;            /* -U; NULL: none */
	int notify_fd;               /* -R; -1: none */
	char *words[NEXT_WORDS + 1]; /* of -r */
};

/* What the usage says after the name. */
static const char usage_words[] = "[-d] [-a seconds] [-b first:most] [-f address] [-g messages] [-k keywords]"
    " [-n messages] [-q octets] [-R fd] [-r reports] [-t seconds] [-U user] [-w seconds] directory prog [arg ...]";

static int
usage(void)
{
	fprintf(stderr, "usage: spoold %s\n", usage_words);
	return CHAIN_MISUSE;
}

static int
pause_s(const struct runner *r)
{
	return r->round.first_s < PAUSE_S ? r->round.first_s : PAUSE_S;
}

/* Add a message of cur to the agenda, which must have room. later: not to be tried before a pause. */
static void
enter(struct runner *r, const char *id, bool later)
{
	time_t due, earliest = later ? time(NULL) + pause_s(r) : 0;

	if (spool_due(&r->round.spool, id, &due) < 0) {
		if (errno == ENOENT)
			return;
		if (!later)
			log_error(&r->log, "failed", "%s:", id);
		due = earliest = time(NULL) + PAUSE_S;
	}
	agenda_add(&r->agenda, id, due > earliest ? due : earliest);
}

/* Make room in the agenda for one more message and for those whose rounds run. Returns 0, or -1 (logged). */
static int
make_room(struct runner *r)
{
	if (agenda_room(&r->agenda, (size_t)r->n + 1) == 0)
		return 0;
	log_error(&r->log, "failed", "agenda:");
	return -1;
}

static int
found_old(void *arg, const char *id)
{
	struct runner *r = arg;

	if (make_room(r) < 0)
		return -1;
	enter(r, id, false);
	return 0;
}

static int
found_new(void *arg, const char *id)
{
	struct runner *r = arg;

	if (make_room(r) < 0)
		return -1;
	if (spool_accept(&r->round.spool, id) == 0)
		enter(r, id, false);
	else if (errno != ENOENT)
		log_error(&r->log, "failed", "%s:", id);
	return 0;
}

static bool
is_running(const struct runner *r, const char *id)
{
	int i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->running[i].id, id) == 0)
			return true;
	return false;
}

/* Start the round of the next message of the agenda. */
static void
start(struct runner *r)
{
	struct agenda_entry e = agenda_take(&r->agenda);
	time_t due;
	pid_t pid;

	if (is_running(r, e.id))
		return; /* somebody has moved the message to new again; one round is enough */
	if (spool_due(&r->round.spool, e.id, &due) < 0 && errno == ENOENT)
		return; /* somebody has removed the message */
	if (spool_is_held(&r->round.spool, "cur", e.id)) {
		agenda_add(&r->agenda, e.id, SPOOLREC_NEVER);
		return;
	}
	pid = fork();
	if (pid == 0)
		_exit(round_run(&r->round, &r->log, e.id) < 0 ? CHAIN_LATER : CHAIN_DONE);
	if (pid < 0) {
		log_error(&r->log, "failed", "fork:");
		agenda_add(&r->agenda, e.id, time(NULL) + pause_s(r));
		return;
	}
	r->running[r->n].pid = pid;
	memcpy(r->running[r->n++].id, e.id, ID_MAX);
}

static void
reap(struct runner *r)
{
	char id[ID_MAX];
	int status, i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < r->n && r->running[i].pid != pid; i++)
			;
		if (i == r->n)
			continue;
		memcpy(id, r->running[i].id, ID_MAX);
		r->running[i] = r->running[--r->n];
		enter(r, id, status != 0);
	}
}

static time_t
now_for(void *arg, const char *id)
{
	(void)id;
	return *(const time_t *)arg;
}

static void
hasten(struct runner *r)
{
	time_t now = time(NULL);

	agenda_renew(&r->agenda, now_for, &now);
}

static time_t
due_by_marks(void *arg, const char *id)
{
	struct runner *r = arg;
	time_t due;

	if (spool_due(&r->round.spool, id, &due) == 0)
		return due;
	return errno == ENOENT ? 0 : SPOOLREC_NEVER; /* removed: start takes it out at once; damaged: as before */
}

static void
heed_signals(struct runner *r)
{
	int s, i;

	while ((s = os_signal(r->signals)))
		switch (s) {
		case SIGALRM:
			hasten(r);
			break;
		case SIGCHLD:
			reap(r);
			break;
		case SIGTERM:
		case SIGINT:
			r->stopping = true;
			for (i = 0; i < r->n; i++)
				kill(r->running[i].pid, SIGTERM); /* blocked in the child, which looks for it: round.h */
			break;
		default:
			break;
		}
}

/* Take in the messages of new. If the trigger asks for it, make all messages due, or look at their marks. */
static void
heed_trigger(struct runner *r)
{
	char what[512];
	bool all = false, marks = false;
	ssize_t n;

	while ((n = read(r->trigger, what, sizeof what)) > 0) {
		all |= memchr(what, SPOOL_ALL, (size_t)n) != NULL;
		marks |= memchr(what, SPOOL_MARKS, (size_t)n) != NULL;
	}
	if (spool_each(&r->round.spool, "new", found_new, r) < 0)
		log_error(&r->log, "failed", "new:");
	if (marks)
		agenda_renew(&r->agenda, due_by_marks, r);
	if (all)
		hasten(r);
}

/* Log that there are many messages: once at the limit, again at each doubling; and that there are few again. */
static void
watch(struct runner *r)
{
	size_t n = r->agenda.n + (size_t)r->n;
	char number[24];

	if (r->many == 0 || (n < r->next_line && (n > (size_t)r->many / 2 || r->next_line == (size_t)r->many)))
		return;
	snprintf(number, sizeof number, "%zu", n);
	log_event(&r->log, n < r->next_line ? "shrunk" : "grown", "messages", number, (char *)NULL);
	if (n < r->next_line)
		r->next_line = (size_t)r->many;
	while (r->next_line <= n)
		r->next_line *= 2;
}

static int
serve(struct runner *r)
{
	struct pollfd p[2] = { { .fd = r->signals, .events = POLLIN }, { .fd = r->trigger, .events = POLLIN } };
	time_t looked = time(NULL), swept = looked, now;

	heed_trigger(r);
	r->next_line = (size_t)r->many;
	while (!r->stopping || r->n > 0) {
		int wait_s = LOOK_S;

		now = time(NULL);
		while (!r->stopping && r->n < r->most && r->agenda.n > 0 && r->agenda.v[0].due <= now)
			start(r);
		if (!r->stopping && r->n < r->most && r->agenda.n > 0 && r->agenda.v[0].due - now < wait_s)
			wait_s = (int)(r->agenda.v[0].due - now);
		watch(r);
		if (poll(p, 2, wait_s * 1000) < 0 && errno != EINTR)
			return CHAIN_LATER;
		heed_signals(r);
		now = time(NULL);
		if (p[1].revents || now - looked >= LOOK_S || now < looked) {
			heed_trigger(r);
			looked = now;
		}
		if (now - swept >= SPOOL_STALE_S || now < swept) {
			spool_sweep(&r->round.spool);
			swept = now;
		}
	}
	return CHAIN_DONE;
}

/* Take the lock. Children of a runner that was killed may still hold it; wait for them. */
static int
lock(struct runner *r)
{
	r->lock = spool_lock(&r->round.spool, false);
	if (r->lock < 0 && errno == EWOULDBLOCK) {
		log_event(&r->log, "locked", "reason", "another runner, or a round of it, is still running", (char *)NULL);
		r->lock = spool_lock(&r->round.spool, true);
	}
	return r->lock < 0 ? -1 : 0;
}

static int
run(struct runner *r, const char *directory)
{
	struct os_notify notify;
	const char *why;
	int result = CHAIN_LATER;

	os_notify_take(&notify, r->notify_fd);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (os_fill_standard() < 0)
		return CHAIN_LATER;
	log_open(&r->log, "spoold", -1);
	r->running = calloc((size_t)r->most, sizeof *r->running);
	if (!r->running)
		log_error(&r->log, "failed", "start:");
	else if (r->user && user_become(r->user) < 0)
		log_error(&r->log, "failed", "user %s:", r->user);
	else if (os_undumpable() < 0)
		log_error(&r->log, "failed", "start:");
	else if (spool_open(&r->round.spool, directory, &why) < 0)
		log_error(&r->log, "failed", "%s: %s", directory, why);
	else if (lock(r) < 0)
		log_error(&r->log, "failed", "%s:", directory);
	else if ((r->signals = os_signals()) < 0 || (r->trigger = spool_listen(&r->round.spool)) < 0)
		log_error(&r->log, "failed", "start:");
	else {
		spool_sweep(&r->round.spool);
		if (spool_each(&r->round.spool, "cur", found_old, r) < 0)
			log_error(&r->log, "failed", "cur:");
		else {
			os_ready(&notify, "");
			result = serve(r);
		}
	}
	agenda_free(&r->agenda);
	free(r->running);
	return result;
}

/* Parse the value of an option as a number from least to most. Returns 0, or -1 after a report: misuse. */
static int
number(int letter, const char *value, int least, int most, int *to)
{
	long long n;

	if (number_parse(value, least, most, &n) < 0) {
		fprintf(stderr, "spoold: -%c %s: not a number from %d to %d\n", letter, value, least, most);
		return -1;
	}
	*to = (int)n;
	return 0;
}

/* -b first:most. Returns as number. */
static int
take_intervals(struct round_conf *conf, const char *s)
{
	const char *colon = strchr(s, ':');
	char first[16];

	if (!colon || (size_t)(colon - s) >= sizeof first) {
		fprintf(stderr, "spoold: -b %s: not first:most\n", s);
		return -1;
	}
	snprintf(first, sizeof first, "%.*s", (int)(colon - s), s);
	return number('b', first, 1, SECONDS_MAX, &conf->first_s) < 0 ? -1 :
	    number('b', colon + 1, conf->first_s, SECONDS_MAX, &conf->most_s);
}

/* -f address. Returns as number. */
static int
take_from(struct round_conf *conf, const char *s)
{
	struct addr from;

	if (addr_mailbox(s, strlen(s), &from) < 0 || from.is_utf8) {
		fprintf(stderr, "spoold: -f %s: not an address in ASCII\n", s);
		return -1;
	}
	conf->from = s;
	return 0;
}

/* -k keywords. Returns as number. */
static int
take_keywords(struct round_conf *conf, const char *s)
{
	if (*s != '@' && !ehlo_list_is_valid(s)) {
		fprintf(stderr, "spoold: -k %s: not keywords with commas or newlines between\n", s);
		return -1;
	}
	conf->keywords = s;
	return 0;
}

/* -r words. Returns as number. */
static int
take_reports(struct runner *r, char *s)
{
	if (next_split(&r->round.reports, r->words, s) == 0)
		return 0;
	fprintf(stderr, "spoold: -r: no words, or more than %d\n", NEXT_WORDS);
	return -1;
}

/* Take an option. Returns 0; -1: misuse, reported; or 1: misuse, to be answered with the usage. */
static int
take_option(struct runner *r, int letter, char *value)
{
	struct round_conf *conf = &r->round;
	int octets;

	switch (letter) {
	case 'a':
		return number(letter, value, 1, CHAIN_DEADLINE_MAX_S, &conf->attempt_s);
	case 'b':
		return take_intervals(conf, value);
	case 'd':
		conf->delivers = true;
		return 0;
	case 'f':
		return take_from(conf, value);
	case 'g':
		return number(letter, value, 0, MANY_MAX, &r->many);
	case 'k':
		return take_keywords(conf, value);
	case 'n':
		return number(letter, value, 1, ROUNDS_MAX, &r->most);
	case 'q':
		if (number(letter, value, 0, QUOTE_MAX, &octets) < 0)
			return -1;
		conf->quote_max = (size_t)octets;
		return 0;
	case 'R':
		return number(letter, value, 0, SECONDS_MAX, &r->notify_fd);
	case 'r':
		return take_reports(r, value);
	case 't':
		return number(letter, value, 1, SECONDS_MAX, &conf->lifetime_s);
	case 'U':
		r->user = value;
		return 0;
	case 'w':
		return number(letter, value, 0, SECONDS_MAX, &conf->delay_s);
	default:
		return 1;
	}
}

/* What msa-check(8) asks. The uid is taken first, as a runner does. */
static void
examine(const struct runner *r, const struct finding *asked, const char *directory)
{
	struct user user;
	const char *why;
	int fd;

	finding_stage("spoold", "session");
	finding_fact("starts", "message");
	if (r->words[0])
		finding_chain("spoold -r", r->round.reports.argv);
	if (r->user && user_find(&user, r->user) < 0) {
		finding_error(asked, r->user, NULL, "%s", errno == ENOENT ? "no such user" : strerror(errno));
		return;
	}
	if (r->user)
		finding_fact("user", r->user);
	if (r->user && geteuid() == 0 && user_take(&user) < 0)
		finding_error(asked, r->user, NULL, "%s", strerror(errno));
	fd = file_open_directory(directory, true, &why);
	if (fd < 0)
		finding_error(asked, directory, NULL, "%s", why);
	else
		close(fd);
	if (r->user)
		user_free(&user);
}

int
main(int argc, char *argv[])
{
	struct runner r = { .most = AT_ONCE, .many = MANY, .lock = -1, .signals = -1, .trigger = -1, .notify_fd = -1,
		.round = { .spool = { -1 }, .quote_max = REPORT_QUOTE_MAX, .attempt_s = ATTEMPT_S, .first_s = FIRST_S,
		    .most_s = MOST_S, .lifetime_s = LIFETIME_S, .delay_s = DELAY_S } };
	struct finding asked;
	bool is_asked;
	int c;

	if (program_answers("spoold", usage_words, argc, argv))
		return CHAIN_DONE;
	is_asked = finding_asked(&asked, "spoold", &argc, &argv);
	while ((c = getopt(argc, argv, "+a:b:df:g:k:n:q:R:r:t:U:w:")) != -1) {
		int wrong = take_option(&r, c, optarg);

		if (wrong)
			return wrong < 0 ? CHAIN_MISUSE : usage();
	}
	if (argc - optind < 2)
		return usage();
	r.round.next = next_parse(argv + optind + 1);
	if (!r.words[0])
		r.round.reports = r.round.next;
	if (!is_asked)
		return run(&r, argv[optind]);
	examine(&r, &asked, argv[optind]);
	finding_number("next", optind + 1);
	return CHAIN_DONE;
}
