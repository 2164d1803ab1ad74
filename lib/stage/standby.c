/* ISC licence, see LICENSE. */
#include "stage/standby.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/process.h"
#include "base/program.h"
#include "chain/limits.h"
#include "msa/buf.h"
#include "stage/run.h"

enum { LETTER_MAX = 4096 }; /* octets of facts, enough for the six of FACTS_TLSD with CHAIN_TEXT_MAX each */

/* Receive all n octets. Returns 0, or -1. */
static int
receive(int fd, void *data, size_t n)
{
	ssize_t r;

	do
		r = recv(fd, data, n, MSG_WAITALL);
	while (r < 0 && errno == EINTR);
	return r == (ssize_t)n ? 0 : -1;
}

/* Take the letter's strings, NAME=value NUL, into f. Returns 0, or -1. */
static int
take(struct facts *f, char *letter, size_t n)
{
	char *s, *value;

	letter[n] = '\0';
	for (s = letter; s < letter + n; s = value + strlen(value) + 1) {
		value = strchr(s, '=');
		if (!value)
			return -1;
		*value++ = '\0';
		if (facts_owner(s) == FACTS_TLSD && facts_set_text(f, s, value, strlen(value)) < 0)
			return -1;
	}
	return 0;
}

/* In the child, whose fds 0 and 1 are the socket. */
static int
become(const struct call *call, const struct next *program)
{
	struct call next = { .in = 0, .out = 1, .envelope = -1, .stop = -1, .may_exec = true, .next = program,
		.facts = call->facts, .log = call->log };
	char letter[LETTER_MAX + 1];
	uint16_t n;

	if (receive(next.in, &n, sizeof n) < 0)
		return CHAIN_DONE; /* the session ended before TLS */
	if (n > LETTER_MAX || (n > 0 && receive(next.in, letter, n) < 0) || take(&next.facts, letter, n) < 0) {
		log_error(&next.log, "failed", "facts for the next stage");
		return CHAIN_LATER;
	}
	return call_next(&next);
}

int
standby_fork(struct standby *s, const struct call *call, const struct next *next)
{
	int fd[2] = { -1, -1 }, e;

	*s = (struct standby){ .fd = -1 };
	if (next->how == NEXT_EXEC && program_find(next->argv[0], facts_get(&call->facts, "PATH")) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return -1;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	s->pid = fork();
	if (s->pid == 0) {
		if (dup2(fd[1], 0) < 0 || dup2(fd[1], 1) < 0)
			_exit(CHAIN_LATER);
		os_close_from(CHAIN_FD_ENVELOPE); /* a waiting child must not hold anybody's connection open */
		_exit(become(call, next));
	}
	e = errno;
	close(fd[1]);
	if (s->pid < 0) {
		close(fd[0]);
		s->pid = 0;
		errno = e;
		return -1;
	}
	s->fd = fd[0];
	return 0;
}

/* The letter of f: its length, then the strings. Returns 0, or -1 with errno set (ENOMEM; E2BIG: too long). */
static int
write_letter(struct buf *b, const struct facts *f)
{
	uint16_t n = 0;
	size_t i;

	if (buf_add(b, &n, sizeof n) < 0)
		return -1;
	for (i = 0; i < f->n; i++)
		if (buf_add(b, f->v[i], strlen(f->v[i]) + 1) < 0)
			return -1;
	if (b->len - sizeof n > LETTER_MAX) {
		errno = E2BIG;
		return -1;
	}
	n = (uint16_t)(b->len - sizeof n);
	memcpy(b->p, &n, sizeof n);
	return 0;
}

int
standby_go(struct standby *s, const struct facts *f)
{
	struct buf b = { 0 };
	ssize_t r = -1;
	int fd = s->fd, e;

	errno = EBADF;
	if (fd >= 0 && write_letter(&b, f) == 0)
		r = send(fd, b.p, b.len, MSG_NOSIGNAL); /* an empty socket takes all of it at once */
	e = r >= 0 ? EIO : errno;
	if (r < 0 || (size_t)r != b.len)
		fd = -1;
	else
		s->fd = -1;
	buf_free(&b);
	errno = e;
	return fd;
}

void
standby_wait(struct standby *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->pid > 0)
		process_reap(s->pid);
	*s = (struct standby){ .fd = -1 };
}
