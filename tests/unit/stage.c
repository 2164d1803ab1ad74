/* ISC licence, see LICENSE. */
#include "stage/instance.h"
#include "stage/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/limits.h"
#include "stage/spawn.h"
#include "unit.h"

struct conf {
	size_t n;
	int wait_ms;
	int times;
	const char *message, *envelope;
};

static int
deliver(struct call *call, const struct conf *c)
{
	int msg = open(c->message, O_RDONLY | O_CLOEXEC), envelope = open(c->envelope, O_RDONLY | O_CLOEXEC), i;

	if (msg < 0 || envelope < 0)
		return CHAIN_LATER;
	for (i = 0; i < c->times; i++) {
		struct verdict v;
		struct buf out = { 0 };
		int64_t start = clock_ms();
		size_t k;

		if (call_deliver(call, call->next, msg, envelope, c->n, start + c->wait_ms, &v) < 0)
			return CHAIN_LATER;
		for (k = 0; k < v.n; k++)
			if (reply_add_foreign(&out, &v.reply[k]) < 0)
				return CHAIN_LATER;
		printf("%s(%s)%s\n", out.p, v.why ? v.why : "as it stands",
		    clock_ms() - start > c->wait_ms + 1500 ? " too late" : "");
		fflush(stdout);
		buf_free(&out);
		verdict_free(&v);
	}
	if (fcntl(msg, F_GETFD) < 0 || fcntl(envelope, F_GETFD) < 0)
		printf("descriptors were closed\n");
	close(msg);
	close(envelope);
	return 0;
}

static int
serve_deliver(struct call *call, void *conf)
{
	return deliver(call, conf);
}

static int
serve_next(struct call *call, void *conf)
{
	(void)conf;
	return call_next(call);
}

static int
serve_verdict(struct call *call, void *conf)
{
	(void)conf;
	return call_verdict(call, REPLY_POLICY, "Not outside");
}

/* A child that has ended, in a process group of its own or in ours. */
static pid_t
zombie(bool own_group)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (own_group)
		setpgid(pid, pid);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	return pid;
}

/* Make two children that have ended: a message's program and another module's helper. Print which of them is left. */
static int
reap(void)
{
	pid_t program = zombie(true), helper = zombie(false);

	spawn_reap();
	printf("program: %s\n", waitpid(program, NULL, WNOHANG) == program ? "there" : "reaped");
	printf("helper: %s\n", waitpid(helper, NULL, WNOHANG) == helper ? "there" : "reaped");
	return 0;
}

/* What stage_option makes of option letters and values, and how many users may call. */
static int
options(struct instance *i, int argc, char **argv)
{
	struct stage_options *o = &i->options;
	int opt;

	stage_options(o);
	while ((opt = getopt(argc, argv, "+" STAGE_OPTIONS)) != -1)
		if (stage_option(o, i, opt, optarg) < 0) {
			printf("%s: %s: %s\n", i->stage->name, i->wrong_word, i->wrong);
			return 100;
		}
	printf("-P %d:%d -C %d -R %d, %zu users\n", o->min, o->max, o->calls, o->notify_fd, o->nallow);
	return 0;
}

/*
 * reap: what spawn_reap takes and leaves.
 * options [-A user] [-C calls] [-P min:max] [-R fd]: what they come to.
 * deliver [-n recipients] [-w wait_ms] [-t times] [-m message] [-e envelope] prog ...: run the chain, show the verdict.
 * session | message [-u user] [-o] prog ...: a stage that becomes prog (-o: it owns what authd and later stages set).
 * verdict: a message stage that refuses.
 */
int
unit_stage(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct conf c = { .n = 1, .wait_ms = 5000, .times = 1, .message = "/dev/null", .envelope = "/dev/null" };
	struct stage stage = { .name = "unit", .kind = STAGE_SESSION, .owner = FACTS_NOBODY, .needs = STAGE_PROGRAMS,
		.serve = serve_next };
	struct instance instance = { .stage = &stage, .conf = &c };
	int opt;

	if (argc < 2)
		return 100;
	if (strcmp(what, "reap") == 0)
		return reap();
	argc--;
	argv++;
	if (strcmp(what, "options") == 0)
		return options(&instance, argc, argv);
	while ((opt = getopt(argc, argv, "+n:w:t:m:e:u:o")) != -1)
		switch (opt) {
		case 'n': c.n = strtoul(optarg, NULL, 10); break;
		case 'w': c.wait_ms = atoi(optarg); break;
		case 't': c.times = atoi(optarg); break;
		case 'm': c.message = optarg; break;
		case 'e': c.envelope = optarg; break;
		case 'u': instance.options.user = optarg; break;
		case 'o': stage.owner = FACTS_AUTHD; break;
		default: return 100;
		}
	instance.next = next_parse(argv + optind);
	if (strcmp(what, "message") == 0)
		stage.kind = STAGE_MESSAGE;
	else if (strcmp(what, "verdict") == 0) {
		stage.kind = STAGE_MESSAGE;
		stage.serve = serve_verdict;
	} else if (strcmp(what, "deliver") == 0)
		stage.serve = serve_deliver;
	else if (strcmp(what, "session") != 0)
		return 100;
	instance.kind = stage.kind;
	return instance_run(&instance);
}
