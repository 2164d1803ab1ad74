/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "net/fdpair.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool
fdpair_is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void
fdpair_open(struct fdpair *s, int in, int out)
{
	*s = (struct fdpair){ .in = in, .out = out };
	s->in_socket = fdpair_is_socket(in);
	s->out_socket = in == out ? s->in_socket : fdpair_is_socket(out);
	s->writable = s->out_socket;
}

/* After a short read, wait for poll: another read would only return EAGAIN. */
ssize_t
fdpair_read(struct fdpair *s, void *p, size_t n)
{
	ssize_t r;

	if (!s->readable)
		return FDPAIR_WAIT;
	do
		r = s->in_socket ? recv(s->in, p, n, MSG_DONTWAIT) : read(s->in, p, n);
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		s->readable = false;
		return FDPAIR_WAIT;
	}
	if (r > 0 && !s->hup && (!s->in_socket || (size_t)r < n))
		s->readable = false;
	return r < 0 ? -1 : r;
}

ssize_t
fdpair_write(struct fdpair *s, const void *p, size_t n)
{
	ssize_t r;

	if (!s->writable)
		return FDPAIR_WAIT;
	do
		r = s->out_socket ? send(s->out, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) :
		                    write(s->out, p, n < FDPAIR_PIPE_PART ? n : FDPAIR_PIPE_PART);
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		s->writable = false;
		return FDPAIR_WAIT;
	}
	if (r >= 0 && (!s->out_socket || (size_t)r < n))
		s->writable = false;
	return r < 0 ? -1 : r;
}

void
fdpair_event(struct fdpair *s, int fd, short events)
{
	short bad = POLLHUP | POLLERR | POLLNVAL;

#ifdef POLLRDHUP
	bad |= POLLRDHUP;
#endif
	if (fd == s->in && events & (POLLIN | bad)) {
		s->readable = true;
		s->hup |= (events & bad) != 0;
	}
	if (fd == s->out && events & (POLLOUT | bad))
		s->writable = true;
}
