/* ISC licence, see LICENSE. */
#include "stage/next.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "chain/limits.h"
#include "stage/handover.h"
#include "stage/inproc.h"
#include "stage/stage.h"

extern char **environ;

enum { FIRST_FREE_FD = 10 }; /* where descriptors wait while 0 to 3 are put in place */

static int
set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || !(flags & O_NONBLOCK) ? 0 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Make 0, 1 and 3 (where not -1) of in, out and envelope, in whatever numbers those are now. 0 or -1. */
static int
place(int in, int out, int envelope)
{
	int from[3] = { in, out, envelope };
	const int to[3] = { CHAIN_FD_IN, CHAIN_FD_OUT, CHAIN_FD_ENVELOPE };
	int i;

	for (i = 0; i < 3; i++) {
		if (from[i] < 0 || from[i] == to[i])
			continue;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (from[i] < 0)
			return -1;
	}
	for (i = 0; i < 3; i++)
		if (from[i] >= 0 && from[i] != to[i] && dup2(from[i], to[i]) < 0)
			return -1;
	for (i = 0; i < 3; i++)
		if (from[i] >= 0 && (set_blocking(to[i]) < 0 || fcntl(to[i], F_SETFD, 0) < 0))
			return -1;
	return 0;
}

/* Run the next program, or call the next stage, for the message in hand, and give its verdict on. */
static int
next_message(struct call *call, char *const argv[])
{
	long long n = facts_number(&call->facts, "MSA_RCPTS", 0);
	struct verdict v = { 0 };
	int r;

	if (n < 1 || n > CHAIN_RCPT_MAX) {
		log_error(&call->log, "misuse", "MSA_RCPTS is not set to a number of recipients");
		return stage_fail(call, REPLY_TROUBLE);
	}
	if (stage_deliver(call, argv, call->in, call->envelope, (size_t)n, stage_deadline(call), &v) < 0)
		return stage_fail(call, REPLY_TROUBLE);
	r = stage_pass(call, &v) < 0 ? CHAIN_LATER : CHAIN_DONE;
	verdict_free(&v);
	return r;
}

/* Hand a session to the resident stage at path. */
static int
call_session(struct call *call, const char *path)
{
	int fd = handover_call(path, call, STAGE_SESSION, HANDOVER_WAIT_MS), r;

	r = fd < 0 ? -1 : handover_acknowledged(fd, HANDOVER_WAIT_MS);
	if (r < 0)
		log_error(&call->log, "failed", "call %s: %s", path, handover_why(errno, true));
	if (fd >= 0)
		close(fd);
	if (r == 0)
		return CHAIN_DONE;
	r = stage_fail(call, REPLY_SHUTDOWN);
	shutdown(call->out, SHUT_WR); /* copies may wait in the queue of one that is stopped, and the client for the end */
	return r;
}

/* Hand a message to the resident stage at path, which answers for itself. */
static int
call_message(struct call *call, const char *path)
{
	int fd = handover_call(path, call, STAGE_MESSAGE, clock_left(stage_deadline(call)));

	if (fd < 0) {
		log_error(&call->log, "failed", "call %s: %s", path, handover_why(errno, true));
		return stage_fail(call, REPLY_TROUBLE);
	}
	close(fd);
	return CHAIN_DONE;
}

/* Run a program for the session in hand, and wait until it has ended. */
static int
run_session(struct call *call, char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (place(call->in, call->out, -1) == 0) {
			os_close_from(CHAIN_FD_ENVELOPE);
			os_signals_default();
			if (facts_to_environ(&call->facts) == 0)
				execvp(argv[0], argv);
			call->in = CHAIN_FD_IN;
			call->out = CHAIN_FD_OUT;
		}
		log_error(&call->log, "failed", "next program %s:", argv[0]);
		_exit(stage_fail(call, REPLY_TROUBLE));
	}
	if (pid < 0) {
		log_error(&call->log, "failed", "fork:");
		return stage_fail(call, REPLY_TROUBLE);
	}
	stage_let_go(call); /* the program's end is the conversation's end */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return CHAIN_DONE;
}

bool
next_is_call(char *const argv[])
{
	return strcmp(argv[0], "call") == 0 && argv[1] && !argv[2];
}

int
stage_next(struct call *call, char *const argv[])
{
	bool message = facts_get(&call->facts, "MSA_MESSAGE") != NULL;
	const struct ready *joined;
	char **was = environ;

	if (!argv || !argv[0]) {
		log_error(&call->log, "misuse", "no next program");
		return stage_fail(call, REPLY_TROUBLE);
	}
	joined = inproc_find(call->joined, argv);
	if (joined)
		return inproc_next(call, joined);
	if (next_is_call(argv) && !message)
		return call_session(call, argv[1]);
	if (next_is_call(argv) && call->resident && !call->verdict)
		return call_message(call, argv[1]);
	if (next_is_call(argv)) /* exec'd: who started us takes our end for the verdict's, so stay and pass it on */
		return next_message(call, argv);
	if (call->resident)
		return message ? next_message(call, argv) : run_session(call, argv);
	if (message) /* a script in front may have read it: the next one sees all of it without rewind, too */
		lseek(call->in, 0, SEEK_SET);
	if (place(call->in, call->out, call->envelope) < 0) {
		log_error(&call->log, "failed", "descriptors of the next program:");
		return stage_fail(call, REPLY_TROUBLE);
	}
	os_close_inherited(call->envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE); /* a library's */
	os_signals_default();
	if (facts_to_environ(&call->facts) == 0)
		execvp(argv[0], argv);
	environ = was; /* the facts will be freed */
	signal(SIGPIPE, SIG_IGN);
	call->in = CHAIN_FD_IN;
	call->out = CHAIN_FD_OUT;
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	return stage_fail(call, REPLY_TROUBLE);
}

void
stage_become(const struct call *call, char *const argv[], int msg, int out, int envelope)
{
	int e;

	setpgid(0, 0);
	lseek(msg, 0, SEEK_SET); /* as stage_next */
	if (place(msg, out, envelope) == 0) {
		os_close_from(CHAIN_FD_ENVELOPE + 1);
		os_signals_default();
		if (facts_to_environ(&call->facts) == 0)
			execvp(argv[0], argv);
	}
	e = errno;
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	_exit(e == ENOENT ? 127 : 126);
}
