/* ISC licence, see LICENSE. */
#include "stage/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "msa/buf.h"

struct header {
	uint32_t length;
	uint16_t kind;
	uint16_t descriptors;
};

enum {
	DESCRIPTORS_MAX = 3,
	FIRST_READ = 4096,     /* octets; usually all of a call */
	NAME_MAX_OCTETS = 64,  /* of a fact's name, with a NUL; facts with longer names are not sent */
};

/*
 * Returns true if a resident with this uid may listen at path: root, our own user, or the owner of the socket. The
 * owner does not count if everybody can write to the directory: then anybody could have put the socket there.
 */
static bool
may_listen(uid_t uid, const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[sizeof ((struct sockaddr_un *)0)->sun_path + 1];
	struct stat st;

	if (uid == 0 || uid == geteuid())
		return true;
	snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	return stat(directory, &st) == 0 && !(st.st_mode & S_IWOTH) && stat(path, &st) == 0 && st.st_uid == uid;
}

/* Connect to the resident at path. Returns the descriptor, or -1 with errno set. */
static int
reach(const char *path, int wait_ms)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { wait_ms / 1000, wait_ms % 1000 * 1000 };
	uid_t uid;
	int fd, e, r;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	r = connect(fd, (struct sockaddr *)&sun, sizeof sun);
	if (r < 0 && errno == EAGAIN && wait_ms > 0) { /* the queue is full: let connect wait, for at most SO_SNDTIMEO */
		fcntl(fd, F_SETFL, 0);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
		r = connect(fd, (struct sockaddr *)&sun, sizeof sun);
	}
	if (r == 0 && os_peer_uid(fd, &uid) == 0) {
		if (may_listen(uid, path))
			return fd;
		errno = EPERM;
	}
	e = errno == EAGAIN && wait_ms > 0 ? ETIMEDOUT : errno;
	close(fd);
	errno = e;
	return -1;
}

/* A socket of another type is refused with EPROTOTYPE, but only if nothing else is wrong. */
const char *
handover_probe(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, e;

	if (strlen(path) >= sizeof sun.sun_path)
		return strerror(ENAMETOOLONG);
	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISSOCK(st.st_mode))
		return "not a socket";
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return strerror(errno);
	e = connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0 ? errno : 0;
	close(fd);
	return e == EPROTOTYPE ? NULL : e == ECONNREFUSED ? "nobody listens there" : e ? strerror(e) : "not a stream";
}

/* Append the facts to send, each as NAME=value NUL. Returns 0, or -1 with errno set (ENOMEM; E2BIG: over a limit). */
static int
pack(struct buf *b, const struct facts *f)
{
	size_t i, names = 0;

	for (i = 0; i < f->n; i++) {
		const char *equals = strchr(f->v[i], '=');
		size_t name = equals ? (size_t)(equals - f->v[i]) : 0, len;

		if (name >= NAME_MAX_OCTETS || facts_owner(f->v[i]) == FACTS_NOBODY)
			continue;
		len = name + strlen(equals) + 1;
		if (++names > HANDOVER_NAMES_MAX || b->len + len > HANDOVER_FACTS_MAX) {
			errno = E2BIG;
			return -1;
		}
		if (buf_add(b, f->v[i], len) < 0)
			return -1;
	}
	return 0;
}

/* Wait for events. Returns true if one came, or false with errno set (ETIMEDOUT). */
static bool
is_ready(int fd, short events, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&p, 1, wait_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0;
}

/* Send b, with n descriptors on its first octet. Returns 0, or -1 with errno set. */
static int
send_all(int to, const struct buf *b, const int *fd, size_t n)
{
	union { /* aligned as a control message must be */
		struct cmsghdr header;
		char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room };
	struct cmsghdr *cmsg;
	size_t done = 0;

	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fd, n * sizeof(int));
	while (done < b->len) {
		ssize_t sent;

		iov = (struct iovec){ b->p + done, b->len - done };
		sent = sendmsg(to, &msg, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN && is_ready(to, POLLOUT, HANDOVER_WAIT_MS))
			continue;
		if (sent < 0)
			return -1;
		done += (size_t)sent;
		msg.msg_control = NULL; /* they went with the first octet */
		msg.msg_controllen = 0;
	}
	return 0;
}

/* Connect only when everything is packed, so that the worker that is woken need not wait for it. */
int
handover_call(const char *path, const struct call *call, enum call_kind kind, int wait_ms)
{
	const int fds[DESCRIPTORS_MAX] = { call->in, call->out, call->envelope };
	size_t n = kind == CALL_MESSAGE ? 3 : 2;
	struct header h = { 0 };
	struct buf b = { 0 };
	int to = -1, e;

	if (buf_add(&b, &h, sizeof h) == 0 && pack(&b, &call->facts) == 0) {
		h = (struct header){ (uint32_t)(b.len - sizeof h), (uint16_t)kind, (uint16_t)n };
		memcpy(b.p, &h, sizeof h);
		to = reach(path, wait_ms);
	}
	e = errno;
	if (to >= 0 && send_all(to, &b, fds, n) < 0) {
		e = errno == EAGAIN ? ETIMEDOUT : errno;
		close(to);
		to = -1;
	}
	buf_free(&b);
	errno = e;
	return to;
}

/* The n descriptors that came. fd has the first DESCRIPTORS_MAX of them; any others were closed. */
struct descriptors {
	int fd[DESCRIPTORS_MAX];
	size_t n;
};

static void
take(struct descriptors *d, struct msghdr *msg)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t got, i;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		got = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < got; i++) {
			int one;

			memcpy(&one, CMSG_DATA(cmsg) + i * sizeof one, sizeof one);
			if (d->n < DESCRIPTORS_MAX)
				d->fd[d->n] = one;
			else
				close(one);
			d->n++;
		}
	}
}

static void
release(struct descriptors *d)
{
	size_t i;

	for (i = 0; i < d->n && i < DESCRIPTORS_MAX; i++)
		close(d->fd[i]);
	d->n = 0;
}

/*
 * Receive some octets, waiting until deadline_ms. Returns their number, or -1 with errno set (ETIMEDOUT; EPROTO: the
 * connection ended, or control data was cut off).
 */
static ssize_t
receive(int fd, void *to, size_t n, struct descriptors *d, int64_t deadline_ms)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { to, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	for (;;) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof control.room;
		r = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (r >= 0)
			break;
		if (errno == EINTR)
			continue;
		if ((errno != EAGAIN && errno != EWOULDBLOCK) || !is_ready(fd, POLLIN, clock_left(deadline_ms)))
			return -1;
	}
	take(d, &msg);
	if (r == 0 || msg.msg_flags & MSG_CTRUNC) {
		errno = EPROTO;
		return -1;
	}
	return r;
}

static bool
may_call(int fd, uid_t uid, const struct handover_allow *allow)
{
	size_t i;

	for (i = 0; allow && i < allow->n; i++)
		if (allow->uid[i] == uid)
			return true;
	return uid == 0 || uid == geteuid() || (allow && os_peer_in(fd, allow->gid, allow->ngid));
}

int
handover_receive(int fd, struct call *call, enum call_kind kind, const struct handover_allow *allow, int wait_ms,
    uid_t *uid)
{
	size_t want = kind == CALL_MESSAGE ? 3 : 2, got = 0, whole = sizeof(struct header);
	int64_t deadline_ms = clock_ms() + wait_ms;
	struct descriptors d = { .n = 0 };
	struct header h = { 0 };
	char first[FIRST_READ], *p = first; /* on the stack: a worker that waits in its session keeps no heap page for it */
	struct buf b = { 0 };
	ssize_t r;
	int e;

	*uid = (uid_t)-1;
	if (os_peer_uid(fd, uid) < 0)
		return -1;
	if (!may_call(fd, *uid, allow)) {
		errno = EPERM;
		return -1;
	}
	/* A stream may deliver even the header in pieces. Usually everything comes at once. */
	while (got < whole) {
		if (whole > sizeof first && p == first) {
			if (buf_room(&b, whole) < 0)
				goto fail;
			p = memcpy(b.p, first, got);
		}
		r = receive(fd, p + got, (p == first ? sizeof first : b.cap) - got, &d, deadline_ms);
		if (r < 0)
			goto fail;
		got += (size_t)r;
		errno = EPROTO;
		if (d.n != want)
			goto fail;
		if (got < sizeof h)
			continue;
		memcpy(&h, p, sizeof h);
		if (h.length > HANDOVER_FACTS_MAX || h.kind != kind || h.descriptors != want)
			goto fail;
		whole = sizeof h + h.length;
	}
	if (got != whole)
		goto fail;
	if (kind == CALL_MESSAGE && (file_size(d.fd[0]) < 0 || file_size(d.fd[2]) < 0)) {
		errno = EPROTO;
		goto fail;
	}
	if (facts_from_call(&call->facts, p + sizeof h, h.length, HANDOVER_NAMES_MAX) < 0)
		goto fail;
	buf_free(&b);
	call->in = d.fd[0];
	call->out = d.fd[1];
	call->envelope = kind == CALL_MESSAGE ? d.fd[2] : -1;
	return 0;
fail:
	e = errno;
	release(&d);
	facts_free(&call->facts);
	buf_free(&b);
	errno = e;
	return -1;
}

const char *
handover_why(int error, bool caller)
{
	if (error == EPERM && caller)
		return "the listener is neither root, nor our user, nor the socket's owner in a directory not open to all";
	if (error == EPERM)
		return "the caller is neither root, nor our user, nor named with -A";
	if (error == EPROTO)
		return "not a valid call";
	return strerror(error);
}

int
handover_acknowledge(int fd)
{
	return send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

int
handover_acknowledged(int fd, int wait_ms)
{
	bool late = wait_ms > 0 && !is_ready(fd, POLLIN, wait_ms);
	char octet;
	ssize_t r;

	/* The caller gives up. Shut down, so that a worker that takes the call later cannot acknowledge and serve it. */
	if (late)
		shutdown(fd, SHUT_RDWR);
	r = recv(fd, &octet, 1, MSG_DONTWAIT);
	if (r == 1)
		return 0;
	if (r == 0)
		errno = late ? ETIMEDOUT : ECONNRESET;
	return -1;
}
