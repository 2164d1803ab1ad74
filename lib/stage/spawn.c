/* ISC licence, see LICENSE. */
#include "stage/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"

enum { FIRST_FREE_FD = 10 }; /* where descriptors wait while 0 to 3 are put in place */

extern char **environ;

static int
set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || !(flags & O_NONBLOCK) ? 0 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/*
 * Returns a descriptor of the message for the next program. It has an offset of its own, at 0, that no reader in front
 * can move, and it can only be read. Where the file cannot be opened again it is in itself, put to its beginning.
 */
static int
fresh(int in)
{
	int own = file_size(in) < 0 ? -1 : os_reopen(in); /* a pipe must not be opened: that could wait */

	if (own >= 0)
		return own;
	lseek(in, 0, SEEK_SET);
	return in;
}

/* Duplicate in, out and envelope to 0, 1 and 3, without those that are -1. Returns 0, or -1 with errno set. */
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

void
spawn_exec(const struct call *call, char *const argv[], int in, int out, int envelope)
{
	char **was = environ;
	int e;

	if (envelope >= 0 || call->kind != CALL_SESSION)
		in = fresh(in);
	if (place(in, out, envelope) < 0)
		return;
	os_close_from(envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE);
	os_signals_default();
	if (facts_to_environ(&call->facts) == 0)
		program_exec(argv);
	e = errno;
	environ = was; /* the facts will be freed */
	signal(SIGPIPE, SIG_IGN);
	errno = e;
}

pid_t
spawn_child(const struct call *call, char *const argv[], int in, int out, int envelope)
{
	pid_t pid = fork();
	int e;

	if (pid != 0) {
		if (pid > 0)
			setpgid(pid, pid); /* in the parent too: the group may have to be ended before the child has run */
		return pid;
	}
	setpgid(0, 0);
	spawn_exec(call, argv, in, out, envelope);
	e = errno;
	log_error(&call->log, "failed", "next program %s:", argv[0]);
	_exit(e == ENOENT ? 127 : 126);
}

bool
spawn_reap(void)
{
	for (;;) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
			return false;
		if (info.si_pid == 0 || getpgid(info.si_pid) == getpgrp())
			return true;
		waitpid(info.si_pid, NULL, 0);
	}
}
