/* ISC licence, see LICENSE. */
/*
 * Run a server so that all that it starts can be found, measured and ended, and nothing else is touched: in a session
 * of its own (servers signal their process group), in a CPU accounting group where there is one (-c: its directory),
 * and with this process as the parent of every orphan, so that a dead process's time ends up here and not with init.
 *
 * On SIGTERM or SIGINT the server gets SIGTERM, then its descendants; what is left after five seconds SIGKILL. Ends
 * when none is left.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_S = 5 };

/* The parent of a process, 0 when it is gone. */
static pid_t
parent_of(const char *pid)
{
	char path[64], stat[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (n <= 0)
		return 0;
	stat[n] = '\0';
	/* The name, in brackets, may hold anything; the state and then the parent follow its last bracket. */
	if (!(p = strrchr(stat, ')')) || strlen(p) < 5)
		return 0;
	return atoi(p + 4);
}

/* Signal our children. Those of a dead child become ours, so that repeated it reaches everything. */
static void
signal_children(int sig)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]) && parent_of(d->d_name) == getpid())
			kill(atoi(d->d_name), sig);
	closedir(dir);
}

static void
enter(const char *group)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/cgroup.procs", group);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) == -1 || write(fd, "0", 1) != 1) {
		fprintf(stderr, "bench-keep: %s: %s\n", path, strerror(errno));
		_exit(111);
	}
	close(fd);
}

int
main(int argc, char *argv[])
{
	const char *group = NULL;
	sigset_t set, before;
	time_t told = 0;
	pid_t pid;
	int c;

	while ((c = getopt(argc, argv, "+c:")) == 'c')
		group = optarg;
	if (c != -1 || optind == argc) {
		fputs("usage: bench-keep [-c cgroup] program [arg ...]\n", stderr);
		return 100;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 || (pid = fork()) == -1) {
		fprintf(stderr, "bench-keep: %s\n", strerror(errno));
		return 111;
	}
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		setsid();
		if (group)
			enter(group);
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "bench-keep: %s: %s\n", argv[optind], strerror(errno));
		_exit(111);
	}
	for (;;) {
		struct timespec second = { .tv_sec = 1 };
		pid_t dead;
		int sig;

		while ((dead = waitpid(-1, NULL, WNOHANG)) > 0)
			if (dead == pid)
				pid = 0;
		if (dead == -1 && errno == ECHILD)
			return 0;
		sig = sigtimedwait(&set, NULL, &second);
		if ((sig == SIGTERM || sig == SIGINT) && !told) {
			told = time(NULL);
			if (pid)
				kill(pid, SIGTERM);
		}
		if (told && time(NULL) - told >= GRACE_S)
			signal_children(SIGKILL);
		else if (told && !pid)
			signal_children(SIGTERM);
	}
}
