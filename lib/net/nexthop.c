/* ISC licence, see LICENSE. */
#include "net/nexthop.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/os.h"
#include "base/process.h"
#include "net/ipaddr.h"

enum {
	BACKLOG_NAP_MS = 5, /* before the next attempt at a Unix socket whose backlog is full */
	LOOKUP_GRACE_S = 2, /* after the deadline; then the child ends by itself if its parent was killed */
};

static bool
is_port(const char *s)
{
	long long n;

	return strlen(s) < sizeof((struct nexthop *)0)->port && number_parse(s, 1, 65535, &n) == 0;
}

int
nexthop_parse(struct nexthop *n, const char *text, const char *port)
{
	const char *host = text, *end = text + strlen(text), *colon = strrchr(text, ':');

	*n = (struct nexthop){ .text = text };
	if (strchr(text, '/')) {
		n->is_unix = true;
		return strlen(text) < sizeof((struct sockaddr_un *)0)->sun_path ? 0 : -1;
	}
	if (*text == '[') {
		const char *bracket = strchr(text, ']');

		if (!bracket || (bracket[1] != ':' && bracket[1] != '\0'))
			return -1;
		host++;
		end = bracket;
		colon = bracket[1] ? bracket + 1 : NULL;
	} else if (colon) {
		end = colon;
		if (memchr(text, ':', (size_t)(colon - text)))
			return -1;
	}
	if (colon)
		port = colon + 1;
	if (!port || !is_port(port) || end == host || end - host > NEXTHOP_HOST_MAX)
		return -1;
	snprintf(n->host, sizeof n->host, "%.*s", (int)(end - host), host);
	snprintf(n->port, sizeof n->port, "%s", port);
	return 0;
}

bool
nexthop_is_numeric(const struct nexthop *n)
{
	struct ipaddr ip;

	return !n->is_unix && ipaddr_parse(&ip, n->host) == 0;
}

unsigned
nexthop_port(const struct nexthop *n)
{
	long long port = 0;

	if (!n->is_unix)
		number_parse(n->port, 1, 65535, &port);
	return (unsigned)port;
}

/* Returns a connected, non-blocking socket, or -1 with errno set. */
static int
connect_to(int family, const struct sockaddr *sa, socklen_t len, int64_t deadline_ms)
{
	int fd = socket(family, SOCK_STREAM, 0), e = 0, on = 1;
	socklen_t size = sizeof e;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		goto fail;
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* do not delay the end of a message */
	while (connect(fd, sa, len) < 0) {
		if (errno == EAGAIN) { /* a Unix socket whose backlog is full: no event reports room */
			if (clock_left(deadline_ms) == 0) {
				errno = ETIMEDOUT;
				goto fail;
			}
			poll(NULL, 0, BACKLOG_NAP_MS);
			continue;
		}
		if (errno != EINPROGRESS && errno != EINTR)
			goto fail;
		while ((e = poll(&p, 1, clock_left(deadline_ms))) < 0 && errno == EINTR)
			;
		if (e == 0)
			errno = ETIMEDOUT;
		if (e <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0)
			goto fail;
		errno = e;
		if (e)
			goto fail;
		break;
	}
	return fd;
fail:
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

static int
connect_unix(const char *path, int64_t deadline_ms)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	return connect_to(AF_UNIX, (struct sockaddr *)&sun, sizeof sun, deadline_ms);
}

/* The resolver's result, small enough (PIPE_BUF) for one write to a pipe. */
struct found {
	int error; /* of getaddrinfo */
	int n;
	struct found_address {
		socklen_t len;
		struct sockaddr_storage sa;
	} address[NEXTHOP_ADDRESSES_MAX];
};

static void
find(const struct nexthop *n, int flags, struct found *f)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags };
	struct addrinfo *list = NULL, *ai;

	memset(f, 0, sizeof *f);
	f->error = getaddrinfo(n->host, n->port, &hints, &list);
	if (f->error)
		return;
	for (ai = list; ai && f->n < NEXTHOP_ADDRESSES_MAX; ai = ai->ai_next) {
		f->address[f->n].len = ai->ai_addrlen;
		memcpy(&f->address[f->n++].sa, ai->ai_addr, ai->ai_addrlen);
	}
	freeaddrinfo(list);
}

/* In the child. It keeps none of the caller's descriptors open: a verdict ends when its descriptor closes. */
static void
find_and_tell(const struct nexthop *n, int fd, int64_t deadline_ms)
{
	struct found f;

	if (fd != 3 && dup2(fd, 3) < 0)
		return;
	close(0);
	close(1);
	os_close_from(4);
	alarm((unsigned)(clock_left(deadline_ms) / 1000 + LOOKUP_GRACE_S)); /* if the caller was killed */
	find(n, 0, &f);
	while (write(3, &f, sizeof f) < 0 && errno == EINTR)
		;
}

/* Read f, which comes in one piece. Returns 0, or -1 with errno set. */
static int
hear_found(int fd, int64_t deadline_ms, struct found *f)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t r;

	do {
		if (clock_left(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		r = poll(&p, 1, clock_left(deadline_ms));
		if (r > 0)
			r = read(fd, f, sizeof *f);
		else if (r == 0)
			r = -2;
	} while (r == -2 || (r < 0 && errno == EINTR));
	if (r == (ssize_t)sizeof *f)
		return 0;
	if (r >= 0)
		errno = EIO;
	return -1;
}

/* Returns 0 with the resolver's error in f->error, or -1 with errno set. */
static int
look_up(const struct nexthop *n, int64_t deadline_ms, struct found *f)
{
	int fd[2], r, e;
	pid_t pid;

	find(n, AI_NUMERICHOST, f);
	if (f->error != EAI_NONAME)
		return 0;
	if (pipe(fd) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		find_and_tell(n, fd[1], deadline_ms);
		_exit(0);
	}
	e = errno;
	close(fd[1]);
	r = pid < 0 ? -1 : hear_found(fd[0], deadline_ms, f);
	if (pid > 0) {
		e = errno;
		kill(pid, SIGKILL);
		process_reap(pid);
	}
	close(fd[0]);
	errno = e;
	return r;
}

static int
connect_inet(const struct nexthop *n, bool loopback, int64_t deadline_ms, const char **why)
{
	struct endpoint e;
	struct found f;
	int i, fd = -1;

	if (look_up(n, deadline_ms, &f) < 0) {
		*why = strerror(errno);
		return -1;
	}
	if (f.error) {
		*why = gai_strerror(f.error);
		return -1;
	}
	*why = "the connection would leave this machine in the clear";
	for (i = 0; i < f.n && fd < 0; i++) {
		if (loopback && (endpoint_from(&e, &f.address[i].sa) < 0 || !ipaddr_is_loopback(&e.ip)))
			continue;
		fd = connect_to(f.address[i].sa.ss_family, (struct sockaddr *)&f.address[i].sa, f.address[i].len,
		    clock_ms() + clock_left(deadline_ms) / (f.n - i));
		*why = strerror(errno);
	}
	return fd;
}

int
nexthop_connect(const struct nexthop *n, bool loopback, int64_t deadline_ms, const char **why)
{
	int fd;

	if (!n->is_unix)
		return connect_inet(n, loopback, deadline_ms, why);
	fd = connect_unix(n->text, deadline_ms);
	*why = strerror(errno);
	return fd;
}
