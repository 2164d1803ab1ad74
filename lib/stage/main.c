/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "base/user.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "net/listen.h"
#include "stage/instance.h"
#include "stage/pool.h"
#include "stage/run.h"
#include "stage/sandbox.h"

/* The main of every stage, in this order: read the words, open what serving needs, serve, return one exit code. */

int
stage_misuse(const char *line)
{
	struct reply_foreign reply = { 0 };
	struct verdict v = { .reply = &reply, .n = 1 };

	fprintf(stderr, "%s\n", line);
	if (!getenv("MSA_MESSAGE"))
		return CHAIN_MISUSE;
	if (reply_set(&reply, REPLY_LOCAL_ERROR, NULL) == 0)
		verdict_write(CHAIN_FD_OUT, &v);
	reply_foreign_free(&reply);
	return CHAIN_LATER;
}

int
stage_wrong(struct instance *i, const char *word, const char *fmt, ...)
{
	va_list ap;

	snprintf(i->wrong_word, sizeof i->wrong_word, "%s", word);
	va_start(ap, fmt);
	vsnprintf(i->wrong, sizeof i->wrong, fmt, ap);
	va_end(ap);
	return -1;
}

int
stage_number(struct instance *i, int letter, const char *value, long long least, long long most, long long *n)
{
	char word[200];

	if (number_parse(value, least, most, n) == 0)
		return 0;
	snprintf(word, sizeof word, "-%c %.100s", letter, value);
	return stage_wrong(i, word, "not a number from %lld to %lld", least, most);
}

char *const *
stage_words(const struct instance *i, int *n)
{
	*n = i->nwords;
	return i->words;
}

/* Report a finding about the words: the text of stage_wrong, or else what; then the usage is the cure. */
static void
blame(struct instance *i, const char *word, const char *what)
{
	char usage[1024];

	snprintf(usage, sizeof usage, "usage: %s %s", i->stage->name, i->stage->usage);
	if (*i->wrong)
		finding_error(i->asked, i->wrong_word, NULL, "%s", i->wrong);
	else
		finding_error(i->asked, word, usage, "%s", what);
	i->wrong[0] = '\0';
	i->faults++;
}

/*
 * Report misuse: the text of stage_wrong, or else the usage. A session stage gives no verdict. If asked, the text is a
 * finding; and not even that if the usage would only repeat what was found about an option.
 */
static int
misuse(struct instance *i)
{
	char line[2048];

	if (i->asked) {
		if (*i->wrong || i->faults == 0)
			blame(i, "", "words are missing, or do not fit together");
		return CHAIN_DONE;
	}
	if (*i->wrong)
		snprintf(line, sizeof line, "%s: %s: %s", i->stage->name, i->wrong_word, i->wrong);
	else
		snprintf(line, sizeof line, "usage: %s %s", i->stage->name, i->stage->usage);
	if (i->stage->kind != STAGE_SESSION)
		return stage_misuse(line);
	fprintf(stderr, "%s\n", line);
	return CHAIN_MISUSE;
}

/* Read the options, up to the first word that is not an option. Returns 0, or -1: misuse. */
static int
read_options(struct instance *i, int argc, char *argv[])
{
	const struct stage *stage = i->stage;
	char letters[128], word[3] = "-";
	int c;

	/* "+": the options of the next program are not ours, whatever C library this is. */
	snprintf(letters, sizeof letters, "+%s%s", stage->options ? stage->options : "", STAGE_OPTIONS);
	optind = 1;
	opterr = !i->asked;
	while ((c = getopt(argc, argv, letters)) != -1) {
		if (i->asked && i->asked->options && c != '?')
			finding_option(c, optarg);
		if (c != '?' && (strchr(STAGE_OPTION_LETTERS, c) ? stage_option(&i->options, i, c, optarg) :
		                                                   stage->option(i->conf, c, optarg, i)) == 0)
			continue;
		if (!i->asked)
			return -1;
		word[1] = (char)(c == '?' ? optopt : c);
		blame(i, word, c != '?' ? "not so here" : strchr(letters, optopt) ? "its argument is missing" : "no such option");
	}
	return 0;
}

/* Read the stage's own words, and the next program after them. Returns 0, or -1: misuse. */
static int
read_words(struct instance *i, int argc, char *argv[])
{
	const struct stage *stage = i->stage;
	bool in_chain = i->inner || i->options.path || getenv("MSA_MESSAGE");

	i->words = argv + optind;
	i->nwords = argc - optind;
	if (stage->next == STAGE_DELIVERS || i->instead) {
		i->next = next_parse(argv + argc);
		return 0;
	}
	if (i->nwords < stage->own_words)
		return -1;
	i->nwords = stage->own_words;
	i->next = next_parse(i->words + i->nwords);
	if (stage->next == STAGE_HANDS_ON && i->next.how == NEXT_NONE)
		return -1;
	if (stage->needs_chain && i->kind == STAGE_MESSAGE && i->next.how != NEXT_NONE && !in_chain)
		return stage_wrong(i, i->next.argv[0], "MSA_MESSAGE is not set: not in a chain (submit starts one)");
	return 0;
}

int
instance_read(struct instance *i, const struct stage *stage, int argc, char *argv[])
{
	int r;

	i->stage = stage;
	i->kind = stage->kind;
	if (i->kind == STAGE_EITHER)
		i->kind = i->inner || getenv("MSA_MESSAGE") ? STAGE_MESSAGE : STAGE_SESSION;
	stage_options(&i->options);
	i->conf = calloc(1, stage->conf_size ? stage->conf_size : 1);
	if (!i->conf) {
		fprintf(stderr, "%s: out of memory\n", stage->name);
		return CHAIN_LATER;
	}
	if (stage->init)
		stage->init(i->conf);
	r = read_options(i, argc, argv);
	if (r == 0)
		r = read_words(i, argc, argv);
	if (r < 0 && i->asked && i->nwords >= stage->own_words) /* the next program is missing; the own words are there */
		r = misuse(i);
	if (r == 0 && stage->check)
		r = stage->check(i->conf, i);
	return r < 0 ? misuse(i) : r;
}

void
instance_release(struct instance *i)
{
	if (i->conf && i->stage->release)
		i->stage->release(i->conf);
	free(i->conf);
	*i = (struct instance){ 0 };
}

void
instance_idle(const struct instance *i)
{
	if (i->stage->idle)
		i->stage->idle(i->conf);
	run_idle(&i->next);
}

int
instance_idle_s(const struct instance *i)
{
	int own = i->stage->idle ? i->idle_s : 0, others = run_idle_s(&i->next);

	return own == 0 || (others > 0 && others < own) ? others : own;
}

bool
instance_watches(const struct instance *i)
{
	while (!i->stage->changed && i->next.how == NEXT_INNER)
		i = i->next.inner;
	return i->stage->changed != NULL;
}

bool
instance_changed(const struct instance *i)
{
	while (!(i->stage->changed && i->stage->changed(i->conf))) {
		if (i->next.how != NEXT_INNER)
			return false;
		i = i->next.inner;
	}
	return true;
}

bool
instance_reloads(const struct instance *i)
{
	while (!i->stage->reload && i->next.how == NEXT_INNER)
		i = i->next.inner;
	return i->stage->reload != NULL;
}

int
instance_reload(const struct instance *i, const struct log *log)
{
	int fresh = 0, kept = 0;

	for (;; i = i->next.inner) {
		struct log own = *log;
		int r;

		own.stage = i->stage->name;
		r = i->stage->reload ? i->stage->reload(i->conf, &own) : 0;
		fresh += i->stage->reload && r >= 0;
		kept += r != 0;
		if (i->next.how != NEXT_INNER)
			break;
	}
	return kept == 0 ? 0 : fresh == 0 ? -1 : 1;
}

/* Returns true if fd is a regular file that our starter passed; a file that check opened at fd 3 is close-on-exec. */
static bool
is_given_file(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC) && file_size(fd) >= 0;
}

/* Check that the descriptors of a message call are as chain(7) says. Returns 0, or -1 with the reason logged. */
static int
take_message(struct call *call)
{
	if (!is_given_file(CHAIN_FD_IN)) {
		log_error(&call->log, "misuse", "fd 0, the message, is not a regular file");
		return -1;
	}
	if (!is_given_file(CHAIN_FD_ENVELOPE)) {
		log_error(&call->log, "misuse", "fd 3, the envelope, is not a regular file");
		return -1;
	}
	call->envelope = CHAIN_FD_ENVELOPE;
	return 0;
}

/* Take the user's uid before the call is served. Returns 0, or the exit code; then the call was answered. */
static int
drop(struct call *call, const char *user)
{
	bool misuse;
	int r;

	if (!user || user_become(user) == 0)
		return 0;
	misuse = errno == ENOENT && call->kind != CALL_MESSAGE; /* a mistake of ours never refuses a message for good */
	log_error(&call->log, "failed", "user %s:", user);
	r = call_refuse(call, REPLY_TROUBLE);
	return misuse ? CHAIN_MISUSE : r;
}

/* Give up what serving this call does not need. Returns 0, or the exit code; then the call was answered. */
static int
shut_in(struct call *call, const struct instance *i)
{
	struct sandbox s;
	int code, r;

	sandbox_state(&s, i, call->kind == CALL_FILTER ? CONFINE_TEMPORARY : 0);
	code = sandbox_prepare(&s, &call->log);
	if (code == CHAIN_DONE && (os_undumpable() < 0 || sandbox_enter(&s, i) < 0)) {
		log_error(&call->log, "failed", "sandbox:");
		code = CHAIN_LATER;
	}
	sandbox_free(&s);
	if (code == CHAIN_DONE)
		return 0;
	r = call_refuse(call, REPLY_TROUBLE);
	return call->kind == CALL_MESSAGE ? r : code; /* a mistake of ours never refuses a message for good */
}

/* Serve the one call of an exec'd stage: fds 0 to 3 and the environment. */
static int
run_once(const struct instance *i)
{
	struct call call = {
		.kind = i->kind == STAGE_SESSION ? CALL_SESSION : CALL_FILTER,
		.in = CHAIN_FD_IN,
		.out = CHAIN_FD_OUT,
		.envelope = -1,
		.stop = -1,
		.caller = getuid(),
		.may_exec = true,
		.next = &i->next,
	};
	int null, r;

	log_open(&call.log, i->stage->name, call.kind == CALL_SESSION ? CHAIN_FD_IN : -1);
	if (call.log.syslog && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		dup2(null, CHAIN_FD_LOG); /* so no later stage or script writes to the peer; log_open then chooses syslog */
		close(null);
	}
	if (call.kind == CALL_FILTER && getenv("MSA_MESSAGE"))
		call.kind = CALL_MESSAGE;
	if (facts_from_environ(&call.facts) < 0 || call_learn(&call, i->stage->owner) < 0 ||
	    (call.kind == CALL_SESSION && offer_learn(&call.facts, &call.log) < 0)) {
		log_error(&call.log, "failed", "environment:");
		r = call_refuse(&call, REPLY_TROUBLE);
	} else if (call.kind == CALL_MESSAGE && take_message(&call) < 0)
		r = call_refuse(&call, REPLY_TROUBLE);
	else if ((r = drop(&call, i->options.user)) == 0) {
		os_close_inherited(call.envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE);
		r = shut_in(&call, i);
		if (r == 0)
			r = i->stage->serve(&call, i->conf);
	}
	instance_idle(i);
	call_end(&call);
	return r;
}

static int
run_pool(const struct instance *i)
{
	const struct stage_options *o = &i->options;
	struct user user = { .group = NULL };
	struct pool_conf pool = {
		.path = strcmp(o->path, "0") == 0 ? NULL : o->path,
		.fd = -1,
		.min = o->min,
		.max = o->max,
		.calls = o->calls,
		.user = o->user ? &user : NULL,
		.allow = { o->allow, o->nallow, o->groups, o->ngroups },
		.doubt = i->stage->owner == FACTS_AUTHD && !o->believe,
		.notify_fd = o->notify_fd,
	};
	int r;

	if (!pool.path)
		pool.fd = listener_given();
	if (o->user && user_find(&user, o->user) < 0) {
		fprintf(stderr, "%s: user %s: %s\n", i->stage->name, o->user, strerror(errno));
		return CHAIN_MISUSE;
	}
	r = pool_run(i, &pool);
	user_free(&user);
	return r;
}

int
instance_run(const struct instance *i)
{
	char line[200];

	os_signals_default();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a write over the operator's limit then fails with EFBIG and is answered */
	if (os_fill_standard() < 0)
		return CHAIN_LATER;
	if (i->options.path && i->kind == STAGE_MESSAGE && getenv("MSA_MESSAGE")) {
		snprintf(line, sizeof line, "%s: -l in a chain: start the resident first, and use \"call path\" here",
		    i->stage->name);
		return stage_misuse(line);
	}
	return i->options.path ? run_pool(i) : run_once(i);
}

int
stage_main(const struct stage *stage, int argc, char *argv[])
{
	struct instance i = { .inner = false };
	struct finding asked;
	int r;

	if (program_answers(stage->name, stage->usage, argc, argv))
		return CHAIN_DONE;
	if (finding_asked(&asked, stage->name, &argc, &argv))
		i.asked = &asked;
	r = instance_read(&i, stage, argc, argv);
	if (r == 0 && i.asked) {
		instance_examine(&i);
		if (i.next.argv && *i.next.argv && i.next.how == NEXT_EXEC)
			finding_number("next", i.next.argv - argv);
	} else if (r == 0)
		r = i.instead ? i.instead(&i) : instance_run(&i);
	instance_release(&i);
	return r;
}
