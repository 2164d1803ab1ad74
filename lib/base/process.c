/* ISC licence, see LICENSE. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	NAP_NS = 200000,       /* between two looks at a child, at first; then twice as long each time, */
	NAP_MAX_NS = 20000000, /* up to this */
};

bool
process_has_ended(pid_t pid, int64_t deadline_ms)
{
	struct timespec nap = { 0, NAP_NS };

	for (;;) {
		siginfo_t info = { .si_pid = 0 };
		int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);

		if (r == 0 ? info.si_pid == pid : errno != EINTR)
			return true;
		if (clock_left(deadline_ms) == 0)
			return false;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < NAP_MAX_NS)
			nap.tv_nsec *= 2;
	}
}

int
process_reap(pid_t pid)
{
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	return r == pid ? status : 0x7f00;
}

void
process_name(pid_t pid, char name[PROCESS_NAME])
{
	char path[40];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, PROCESS_NAME - 1);
		close(fd);
	}
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

void
process_end_group(pid_t pid, int64_t deadline_ms)
{
	kill(-pid, SIGTERM);
	process_has_ended(pid, deadline_ms);
	kill(-pid, SIGKILL);
}
