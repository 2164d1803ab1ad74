/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "net/lineio.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/fdpair.h"

enum { PEEK_PAUSE_MS = 20 }; /* before the next look at a line that is not complete */

void
lineio_open(struct lineio *c, int in, int out)
{
	c->in = in;
	c->out_fd = out;
	c->in_socket = fdpair_is_socket(in);
	c->out_socket = out == in ? c->in_socket : fdpair_is_socket(out);
	c->stop = -1;
	c->exact = false;
	c->deadline_ms = 0;
	c->lull_at_ms = 0;
	c->slice_ms = 0;
	c->head[0] = '\0';
	c->out = (struct buf){ 0 };
	c->pos = c->len = c->most = 0;
}

void
lineio_close(struct lineio *c)
{
	buf_free(&c->out);
	c->pos = c->len = 0;
}

void
lineio_wipe(struct lineio *c)
{
	explicit_bzero(c->in_buf, c->most);
	explicit_bzero(c->head, sizeof c->head);
	lineio_close(c);
}

static int64_t
end_of_wait(const struct lineio *c, int wait_ms)
{
	int64_t end = clock_ms() + wait_ms;

	return c->deadline_ms && c->deadline_ms < end ? c->deadline_ms : end;
}

/* Returns 1 after an event, or an error that the next call will report; 0: the deadline has passed. */
static int
wait_for(int fd, short events, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&p, 1, clock_left(end));
	while (r < 0 && errno == EINTR);
	return r != 0;
}

/* Wait for input, until end or until the descriptor stop (-1: none) is readable. */
static enum line_result
wait_in(struct lineio *c, int64_t end, int stop)
{
	struct pollfd p[2] = { { .fd = c->in, .events = POLLIN }, { .fd = stop, .events = POLLIN } };
	int r;

	for (;;) {
		int left = clock_left(end), lull = c->lull_at_ms ? clock_left(c->lull_at_ms) : left;

		if (c->lull_at_ms && lull == 0) {
			c->lull_at_ms = 0;
			c->lull(c->lull_arg);
			continue;
		}
		r = poll(p, stop < 0 ? 1 : 2, lull < left ? lull : left);
		if (r > 0)
			return p[0].revents ? LINE_OK : LINE_STOP;
		if (r == 0 && left <= lull)
			return LINE_TIMEOUT;
	}
}

static int
write_all(const struct lineio *c, const char *data, size_t n, int64_t end)
{
	while (n > 0) {
		ssize_t r;

		if (c->out_socket)
			r = send(c->out_fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		else if (wait_for(c->out_fd, POLLOUT, end))
			r = write(c->out_fd, data, n < FDPAIR_PIPE_PART ? n : FDPAIR_PIPE_PART);
		else {
			errno = ETIMEDOUT;
			return -1;
		}
		if (r >= 0) {
			data += r;
			n -= (size_t)r;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!wait_for(c->out_fd, POLLOUT, end)) {
				errno = ETIMEDOUT;
				return -1;
			}
		} else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int
lineio_flush(struct lineio *c, int wait_ms)
{
	int r;

	if (c->out.len == 0)
		return 0;
	r = write_all(c, c->out.p, c->out.len, end_of_wait(c, wait_ms));
	buf_clear(&c->out);
	return r;
}

int
lineio_write(struct lineio *c, const void *data, size_t n, int wait_ms)
{
	if (lineio_flush(c, wait_ms) < 0)
		return -1;
	return write_all(c, data, n, end_of_wait(c, wait_ms));
}

/* How many of the n octets at p, which are still in the socket, belong to the current line. */
static size_t
exact_part(const struct lineio *c, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	const char *crlf = lf;

	while (crlf && !(crlf > p ? crlf[-1] == '\r' : c->len > c->pos && c->in_buf[c->len - 1] == '\r'))
		crlf = memchr(crlf + 1, '\n', n - (size_t)(crlf + 1 - p));
	if (crlf)
		return (size_t)(crlf - p) + 1;
	return n; /* the line goes on, or has a bare LF and is dropped with everything that has come */
}

/* Write the replies before waiting: the peer may be waiting for them. */
static enum line_result
say(struct lineio *c, int64_t end)
{
	int r = c->out.len > 0 ? write_all(c, c->out.p, c->out.len, end) : 0;

	buf_clear(&c->out);
	if (r < 0)
		return errno == ETIMEDOUT ? LINE_TIMEOUT : LINE_ERROR;
	return LINE_OK;
}

enum line_result
lineio_peek(struct lineio *c, char *p, size_t n, int wait_ms, size_t *got)
{
	int64_t end = end_of_wait(c, wait_ms);
	enum line_result w = say(c, end);
	short gone = POLLHUP | POLLERR;

#ifdef POLLRDHUP
	gone |= POLLRDHUP;
#endif
	while (w == LINE_OK) {
		struct pollfd f[2] = { { .fd = c->in, .events = POLLIN | gone }, { .fd = c->stop, .events = POLLIN } };
		int ready = poll(f, c->stop < 0 ? 1 : 2, clock_left(end));
		ssize_t r;

		if (ready == 0)
			return LINE_TIMEOUT;
		if (ready < 0 && errno != EINTR)
			return LINE_ERROR;
		if (ready < 0)
			continue;
		if (!f[0].revents)
			return LINE_STOP;
		r = recv(c->in, p, n, MSG_PEEK | MSG_DONTWAIT);
		if (r < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
			return errno == ECONNRESET ? LINE_EOF : LINE_ERROR;
		if (r == 0)
			return LINE_EOF;
		if (r > 0 && ((size_t)r == n || memchr(p, '\n', (size_t)r) || f[0].revents & gone)) {
			*got = (size_t)r;
			return LINE_OK;
		}
		/* The octets that have come would make poll return at once. Lines that come in parts are rare. */
		poll(NULL, 0, clock_left(end) < PEEK_PAUSE_MS ? clock_left(end) : PEEK_PAUSE_MS);
		if (clock_left(end) == 0)
			return LINE_TIMEOUT;
	}
	return w;
}

/* in_buf was used up to n. */
static void
used(struct lineio *c, size_t n)
{
	if (n > c->most)
		c->most = n;
}

/* Read once, after what is buffered: a line (most is 0), or at most that many octets of any kind. */
static enum line_result
take(struct lineio *c, int64_t end, int stop, size_t most)
{
	char *p;
	size_t room;
	ssize_t r;

	if (c->pos > 0) {
		memmove(c->in_buf, c->in_buf + c->pos, c->len - c->pos);
		c->len -= c->pos;
		c->pos = 0;
	}
	p = c->in_buf + c->len;
	room = sizeof c->in_buf - c->len;
	if (most > 0 && most < room)
		room = most;
	do {
		enum line_result w = c->slice_ms && clock_left(end) > c->slice_ms ? LINE_OK : wait_in(c, end, stop);

		if (w != LINE_OK)
			return w;
		if (c->exact && most == 0 && c->in_socket) {
			r = recv(c->in, p, room, MSG_PEEK);
			if (r > 0) {
				used(c, c->len + (size_t)r);
				r = recv(c->in, p, exact_part(c, p, (size_t)r), 0);
			}
		} else
			r = read(c->in, p, c->exact && most == 0 ? 1 : room);
	} while (r < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK));
	if (r < 0)
		return errno == ECONNRESET ? LINE_EOF : LINE_ERROR;
	if (r == 0)
		return LINE_EOF;
	c->len += (size_t)r;
	used(c, c->len);
	return LINE_OK;
}

/* Write the replies, then take. */
static enum line_result
more(struct lineio *c, int64_t end, int64_t deadline, int stop, size_t most)
{
	enum line_result w = say(c, end);

	if (w != LINE_OK)
		return w;
	/* If input never stops coming, no wait ends at the deadline: look at the clock. */
	if (deadline && clock_left(deadline) == 0)
		return LINE_TIMEOUT;
	return take(c, end, stop, most);
}

enum line_result
lineio_fill(struct lineio *c, int wait_ms)
{
	if (c->pos < c->len)
		return LINE_OK;
	return more(c, end_of_wait(c, wait_ms), c->deadline_ms, c->stop, 0);
}

enum line_result
lineio_fill_until(struct lineio *c, int wait_ms, int64_t until_ms, size_t most)
{
	int64_t deadline = c->deadline_ms && c->deadline_ms < until_ms ? c->deadline_ms : until_ms;
	int64_t end = end_of_wait(c, wait_ms);

	if (c->pos < c->len)
		return LINE_OK;
	return more(c, deadline < end ? deadline : end, deadline, -1, most);
}

static void
keep_head(struct lineio *c, const char *s, size_t n)
{
	if (n > LINEIO_HEAD)
		n = LINEIO_HEAD;
	memcpy(c->head, s, n);
	c->head[n] = '\0';
}

/* The LF of the first CRLF in s, or NULL. */
static char *
find_crlf(char *s, size_t n)
{
	char *lf = s;

	while ((lf = memchr(lf, '\n', n - (size_t)(lf - s)))) {
		if (lf > s && lf[-1] == '\r')
			return lf;
		lf++;
	}
	return NULL;
}

/* Drop a line with a bare LF up to its CRLF, or, if none has come, everything that has come. */
static void
drop_bad(struct lineio *c, int64_t end)
{
	for (;;) {
		char *s = c->in_buf + c->pos;
		size_t have = c->len - c->pos;
		char *lf = have ? find_crlf(s, have) : NULL;

		if (lf) {
			c->pos = (size_t)(lf - c->in_buf) + 1;
			return;
		}
		c->pos = c->len - (have > 0 && s[have - 1] == '\r'); /* the LF of this CR may be next */
		if (clock_left(end) == 0 || !wait_for(c->in, POLLIN, 0) || take(c, end, c->stop, 0) != LINE_OK) {
			c->pos = c->len;
			return;
		}
	}
}

enum line_result
lineio_line(struct lineio *c, size_t max, int wait_ms, char **line, size_t *len)
{
	int64_t end = end_of_wait(c, wait_ms);
	bool too_long = false;

	if (max > sizeof c->in_buf)
		max = sizeof c->in_buf;
	for (;;) {
		char *s = c->in_buf + c->pos;
		size_t have = c->len - c->pos, n;
		char *lf = have ? memchr(s, '\n', have) : NULL;
		enum line_result r;

		if (lf) {
			if (lf == s || lf[-1] != '\r') {
				if (!too_long)
					keep_head(c, s, (size_t)(lf - s));
				drop_bad(c, end);
				return LINE_BAD;
			}
			n = (size_t)(lf - s) + 1;
			c->pos += n;
			if (!too_long && n > max)
				keep_head(c, s, n);
			if (too_long || n > max)
				return LINE_LONG;
			n -= 2;
			if (memchr(s, '\r', n) || memchr(s, '\0', n)) {
				keep_head(c, s, n);
				return LINE_BAD;
			}
			s[n] = '\0';
			*line = s;
			*len = n;
			return LINE_OK;
		}
		if (have > 0 && *s == LINE_TLS_RECORD && !too_long) {
			keep_head(c, s, have);
			c->pos = c->len;
			return LINE_BAD;
		}
		if (have >= max) { /* drop it, but keep a CR at the end: its LF may be next */
			if (!too_long)
				keep_head(c, s, have);
			too_long = true;
			c->pos = c->len - (s[have - 1] == '\r');
		}
		r = more(c, end, c->deadline_ms, c->stop, 0);
		if (r != LINE_OK)
			return r;
		if (clock_left(end) == 0 && !memchr(c->in_buf + c->pos, '\n', c->len - c->pos))
			return LINE_TIMEOUT; /* input kept coming, so no wait ended */
	}
}
