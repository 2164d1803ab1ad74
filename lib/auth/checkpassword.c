/* ISC licence, see LICENSE. */
#include "auth/checkpassword.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "stage/spawn.h"

enum {
	EXIT_WRONG = 1,
	GRACE_MS = 1000, /* between SIGTERM and SIGKILL */
};

/*
 * Make a descriptor from which the octets of text can be read. Writing never waits: they fit into the pipe, unless the
 * user of this process has so many pipes that the system makes small ones. Returns the descriptor, or -1 with errno set
 * (EAGAIN: a small one).
 */
static int
readable(const char *text, size_t n)
{
	int fd[2], e;
	ssize_t written = -1;

	if (pipe(fd) < 0)
		return -1;
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd[1], F_SETFD, FD_CLOEXEC) == 0 &&
	    fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0)
		written = write(fd[1], text, n);
	if (written == (ssize_t)n) {
		close(fd[1]);
		return fd[0];
	}
	e = written < 0 ? errno : EAGAIN;
	close(fd[0]);
	close(fd[1]);
	errno = e;
	return -1;
}

/* Start the program with secret as its descriptor 3. Returns its pid, or -1 with errno set. */
static pid_t
start(char *const argv[], const struct facts *facts, const struct log *log, int secret)
{
	const struct call call = { .kind = CALL_SESSION, .stop = -1, .facts = *facts, .log = *log }; /* borrowed */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), e;
	pid_t pid;

	if (null < 0)
		return -1;
	pid = spawn_child(&call, argv, null, null, secret);
	e = errno;
	close(null);
	errno = e;
	return pid;
}

/* Wait for the program's end. */
static enum backend_answer
wait_for(pid_t pid, const char *program, const struct log *log)
{
	bool in_time = process_has_ended(pid, clock_ms() + BACKEND_WAIT_S * 1000);
	char how[32] = "no answer";
	int status;

	if (!in_time)
		process_end_group(pid, clock_ms() + GRACE_MS);
	else
		kill(-pid, SIGKILL); /* what the program has left may hold the log and the secret */
	if (!in_time && !process_has_ended(pid, clock_ms() + GRACE_MS)) { /* it has another uid now, and lives on */
		log_event(log, "unanswered", "program", program, "why", "no answer, and it cannot be ended", (char *)NULL);
		return BACKEND_LATER;
	}
	status = process_reap(pid);
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return BACKEND_RIGHT;
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WRONG)
		return BACKEND_WRONG;
	if (in_time)
		snprintf(how, sizeof how, "%s %d", WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	log_event(log, "unanswered", "program", program, "why", how, (char *)NULL);
	return BACKEND_LATER;
}

enum backend_answer
checkpassword_ask(char *const argv[], const struct facts *facts, const struct log *log, const char *user,
    const char *secret, size_t len, size_t max)
{
	char text[CHECKPASSWORD_TOKEN], stamp[24];
	size_t n = strlen(user) + 1, m = (size_t)snprintf(stamp, sizeof stamp, "%lld", (long long)time(NULL)) + 1;
	pid_t pid = -1;
	int fd;

	if (getuid() == 0 || geteuid() == 0) { /* a program that has a hole would hand out root */
		log_error(log, "misuse", "%s: not run as root", argv[0]);
		return BACKEND_LATER;
	}
	if (max > sizeof text || len > max || n + len + 1 + m > max || memchr(secret, '\0', len))
		return BACKEND_WRONG; /* it cannot be said in this interface, so it is nobody's */
	memcpy(text, user, n);
	memcpy(text + n, secret, len);
	text[n + len] = '\0';
	memcpy(text + n + len + 1, stamp, m);
	fd = readable(text, n + len + 1 + m);
	explicit_bzero(text, sizeof text);
	if (fd >= 0) {
		pid = start(argv, facts, log, fd);
		close(fd);
	}
	if (pid >= 0)
		return wait_for(pid, argv[0], log);
	log_error(log, "failed", "%s:", argv[0]);
	return BACKEND_LATER;
}
