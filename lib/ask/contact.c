/* ISC licence, see LICENSE. */
#include "ask/contact.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

int
contact_set(struct contact *c, const char *text)
{
	static const char inet[] = "inet:", local[] = "unix:";
	bool is_inet = strncmp(text, inet, strlen(inet)) == 0, is_local = strncmp(text, local, strlen(local)) == 0;
	const char *rest = text + (is_inet ? strlen(inet) : is_local ? strlen(local) : 0);

	c->text = text;
	c->client.credentials = -1;
	if (nexthop_parse(&c->hop, rest, NULL) < 0 || (is_inet && c->hop.is_unix) || (is_local && !c->hop.is_unix))
		return -1;
	return 0;
}

/* Returns true if a process in a sandbox cannot connect, because the resolver may do anything. */
static bool
needs_starter(const struct contact *c)
{
	return !c->hop.is_unix && !nexthop_is_numeric(&c->hop);
}

void
contact_claim(const struct contact *c, struct claims *claims)
{
	if (!needs_starter(c))
		stage_connects(claims, nexthop_port(&c->hop));
}

int
contact_prepare(struct contact *c)
{
	if (!needs_starter(c))
		return 0;
	if (starter_open(&c->starter, &c->client, &c->hop, 1) < 0)
		return -1;
	c->client.starter = &c->starter;
	return 0;
}

int
contact_open(const struct contact *c, int64_t deadline_ms, char why[STARTER_WHY])
{
	return starter_connect(&c->client, c->client.starter ? c->client.starter->hop : &c->hop, deadline_ms, why);
}

/* Wait until fd is ready. Returns 0, or -1 with errno set. */
static int
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int left, r = 0;

	while ((left = clock_left(deadline_ms)) > 0 && (r = poll(&p, 1, left)) < 0 && errno == EINTR)
		;
	if (left == 0)
		r = 0; /* a server that never pauses has no more time than another one */
	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0 ? 0 : -1;
}

int
contact_write(int fd, const void *data, size_t n, int64_t deadline_ms)
{
	const char *p = data;

	while (n > 0) {
		ssize_t r = -1;

		if (clock_left(deadline_ms) == 0) /* also where the server takes all it gets */
			errno = ETIMEDOUT;
		else
			r = send(fd, p, n, MSG_NOSIGNAL);
		if (r >= 0) {
			p += r;
			n -= (size_t)r;
		} else if (errno != EINTR && (errno != EAGAIN || wait_for(fd, POLLOUT, deadline_ms) < 0))
			return -1;
	}
	return 0;
}

ssize_t
contact_read(int fd, void *p, size_t n, int64_t deadline_ms)
{
	ssize_t r;

	do
		r = wait_for(fd, POLLIN, deadline_ms) < 0 ? -1 : recv(fd, p, n, 0);
	while (r < 0 && (errno == EINTR || errno == EAGAIN));
	return r;
}
