/* ISC licence, see LICENSE. */
/*
 * usage: killat [-f | -w] number program [arg ...]
 * Run a program, and kill it with SIGKILL as it enters the system call with this number, which is then not made. The
 * calls of the started process are counted, whatever it becomes; -f: those of all its descendants too; -w: only those
 * of its children, as long as they run the same program (the workers of a resident). Only the process that makes the
 * call is killed. With 0, or a number above that of the last call, no process is killed. The number of calls is written
 * to fd 9 if that is open.
 * The exit code is the program's; 128 and the signal if it was killed; 126: cannot trace here.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRACED_MAX = 256, CANNOT = 126, COUNT_FD = 9 };

struct traced {
	pid_t pid;
	bool inside; /* a system call was entered and not left */
	bool became; /* it runs another program than its parent did */
};

struct work {
	enum { FIRST, ALL, WORKERS } which;
	long at, calls;
	pid_t first;
	struct traced traced[TRACED_MAX];
};

static struct traced *
find(struct work *w, pid_t pid)
{
	size_t i;

	for (i = 0; i < TRACED_MAX; i++)
		if (w->traced[i].pid == pid)
			return &w->traced[i];
	return NULL;
}

static void
entered(struct work *w, const struct traced *t)
{
	if (w->which == FIRST && t->pid != w->first)
		return;
	if (w->which == WORKERS && (t->pid == w->first || t->became))
		return;
	if (++w->calls == w->at)
		kill(t->pid, SIGKILL);
}

/* A tracee has stopped: see why. The signal that it is to get. */
static int
stopped(struct work *w, pid_t pid, int status)
{
	struct traced *t = find(w, pid);
	int signal = WSTOPSIG(status), event = status >> 16;

	if (!t && (t = find(w, 0))) { /* forked off by another: its first stop is not for it */
		*t = (struct traced){ .pid = pid };
		return 0;
	}
	if (!t)
		return signal;
	if (event == PTRACE_EVENT_EXEC)
		t->became = true;
	if (event || signal == SIGTRAP)
		return 0;
	if (signal != (SIGTRAP | 0x80))
		return signal;
	t->inside = !t->inside;
	if (t->inside)
		entered(w, t);
	return 0;
}

/* Until no tracee is left. The exit code of the first. */
static int
follow(struct work *w)
{
	int status, code = CANNOT;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)stopped(w, pid, status));
			continue;
		}
		if (pid == w->first)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (find(w, pid))
			find(w, pid)->pid = 0;
	}
	return code;
}

int
main(int argc, char *argv[])
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
	    PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	static struct work w; /* of a tool that lives for one program */
	int c, status, code;

	while ((c = getopt(argc, argv, "+fw")) != -1)
		w.which = c == 'f' ? ALL : WORKERS;
	if (argc - optind < 2)
		return 100;
	w.at = atol(argv[optind++]);
	w.first = fork();
	if (w.first == 0) {
		close(COUNT_FD);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(CANNOT);
		raise(SIGSTOP);
		execvp(argv[optind], argv + optind);
		_exit(127);
	}
	if (w.first < 0 || waitpid(w.first, &status, 0) < 0 || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, w.first, NULL, (void *)options) < 0)
		return CANNOT;
	signal(SIGTERM, SIG_IGN); /* it goes to the program, whose end is ours */
	w.traced[0] = (struct traced){ .pid = w.first };
	ptrace(PTRACE_SYSCALL, w.first, NULL, NULL);
	code = follow(&w);
	dprintf(COUNT_FD, "%ld\n", w.calls);
	return code;
}
