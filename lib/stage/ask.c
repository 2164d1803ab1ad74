/* ISC licence, see LICENSE. */
#include "stage/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/finding.h"
#include "base/user.h"
#include "chain/limits.h"

enum {
	WAIT_MS = 200000,      /* a next hop has 10 s for its answer, and a stage at most 16 of them */
	ANSWER_MAX = 16777216, /* octets: a table may have many chains */
	PART = 16384,
};

bool
ask_can(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = strlen(finding_mark), i;
	struct stat st;
	bool found = false;
	const char *p, *at;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size > len) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED) {
			for (i = 2; !found && memcmp(p, "#!", 2) != 0 && i + len <= (size_t)st.st_size; i++) {
				at = memchr(p + i, *finding_mark, (size_t)st.st_size - len - i + 1);
				if (!at)
					break;
				i = (size_t)(at - p);
				found = memcmp(at, finding_mark, len) == 0;
			}
			munmap((void *)p, (size_t)st.st_size);
		}
	}
	close(fd);
	return found;
}

/* In the child. */
static void
become(const struct ask *a, int out, int err)
{
	char mark[] = "--check", letters[] = "--", *letter = letters;
	int null = open("/dev/null", O_RDWR);
	size_t n = 0;
	char **argv;

	while (a->argv[n])
		n++;
	argv = calloc(n + 3, sizeof *argv);
	if (argv && null >= 0) {
		argv[0] = a->argv[0];
		argv[1] = mark;
		if (a->network)
			*letter++ = 'n';
		if (a->options)
			*letter++ = 'o';
		argv[2] = letters;
		memcpy(argv + 3, a->argv + 1, n * sizeof *argv);
		dup2(null, 0);
		dup2(out, 1);
		dup2(err, 2);
		if ((a->in_chain ? setenv("MSA_MESSAGE", "check", 1) : unsetenv("MSA_MESSAGE")) == 0 &&
		    (!a->user || geteuid() != 0 || user_become(a->user) == 0))
			execv(a->path, argv);
	}
	_exit(CHAIN_LATER);
}

/* Read what comes on both descriptors until both have ended. Returns 0, or -1 and *why. */
static int
read_both(int out, int err, struct buf *answer, struct buf *errors, const char **why)
{
	struct pollfd p[2] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN } };
	struct buf *to[2] = { answer, errors };
	int64_t deadline_ms = clock_ms() + WAIT_MS;
	ssize_t r;
	int i;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (clock_left(deadline_ms) == 0) {
			*why = "does not answer in time";
			return -1;
		}
		if (poll(p, 2, clock_left(deadline_ms)) < 0)
			continue;
		for (i = 0; i < 2; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			*why = "answers too much";
			if (to[i]->len > ANSWER_MAX || buf_room(to[i], PART) < 0)
				return -1;
			r = read(p[i].fd, to[i]->p + to[i]->len, PART);
			if (r > 0)
				to[i]->len += (size_t)r;
			else if (r == 0 || errno != EINTR)
				p[i].fd = -1;
		}
	}
	return 0;
}

/* End the string in b, so that it has one even if nothing came. Returns 0, or -1: no memory. */
static int
end(struct buf *b)
{
	if (buf_room(b, 1) < 0)
		return -1;
	b->p[b->len] = '\0';
	return 0;
}

int
ask(const struct ask *a, struct buf *answer, struct buf *errors, const char **why)
{
	size_t len = strlen(finding_mark);
	int out[2], err[2], status = 0, r;
	pid_t pid;

	*why = "cannot be started";
	if (pipe(out) < 0)
		return -1;
	if (pipe(err) < 0 || (pid = fork()) < 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	if (pid == 0) {
		close(out[0]);
		close(err[0]);
		become(a, out[1], err[1]);
	}
	close(out[1]);
	close(err[1]);
	r = read_both(out[0], err[0], answer, errors, why);
	close(out[0]);
	close(err[0]);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0 || end(answer) < 0 || end(errors) < 0)
		return -1;
	*why = WIFSIGNALED(status) ? "was killed by a signal" : "gives no answer";
	if (WIFSIGNALED(status) || answer->len <= len || memcmp(answer->p, finding_mark, len) != 0)
		return -1;
	memmove(answer->p, answer->p + len + 1, answer->len - len);
	answer->len -= len + 1;
	return WEXITSTATUS(status);
}

void
ask_records(char *answer, void (*take)(void *arg, char *const field[ASK_FIELDS]), void *arg)
{
	char *line, *next, *empty, *field[ASK_FIELDS];
	size_t i;

	for (line = answer; *line; line = next) {
		next = empty = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		for (i = 0; i < ASK_FIELDS; i++) {
			field[i] = line ? line : empty;
			line = line ? strchr(line, '\t') : NULL;
			if (line)
				*line++ = '\0';
		}
		take(arg, field);
	}
}
