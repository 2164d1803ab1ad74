/* ISC licence, see LICENSE. */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "message.h"
#include "os.h"

struct header {
	uint32_t length;
	uint16_t kind;
	uint16_t descriptors;
};

enum { DESCRIPTORS_MAX = 3 };

int
handover_connect(const char *path, int wait_ms)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { wait_ms / 1000, wait_ms % 1000 * 1000 };
	struct stat st;
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
	if (r < 0 && errno == EAGAIN && wait_ms > 0) { /* the queue is full: now connect has to wait, and only this bounds that */
		fcntl(fd, F_SETFL, 0);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
		r = connect(fd, (struct sockaddr *)&sun, sizeof sun);
	}
	if (r == 0 && os_peer_uid(fd, &uid) == 0) {
		if (uid == 0 || uid == geteuid() || (stat(path, &st) == 0 && st.st_uid == uid))
			return fd;
		errno = EPERM;
	}
	e = errno == EAGAIN && wait_ms > 0 ? ETIMEDOUT : errno;
	close(fd);
	errno = e;
	return -1;
}

/* The facts that may go, as the wire wants them. */
static int
pack(struct buf *b, const struct facts *f)
{
	size_t i, names = 0;
	char name[64];

	for (i = 0; i < f->n; i++) {
		size_t len = strcspn(f->v[i], "=");

		if (len >= sizeof name)
			continue;
		memcpy(name, f->v[i], len);
		name[len] = '\0';
		if (facts_owner(name) == FACTS_NOBODY)
			continue;
		if (++names > HANDOVER_NAMES_MAX || b->len + strlen(f->v[i]) + 1 > HANDOVER_FACTS_MAX) {
			errno = E2BIG;
			return -1;
		}
		if (buf_add(b, f->v[i], strlen(f->v[i]) + 1) < 0)
			return -1;
	}
	return 0;
}

/* Wait for events; false: none in time. */
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

int
handover_send(int fd, const struct call *call, enum stage_kind kind)
{
	union { /* aligned as a control message must be */
		struct cmsghdr header;
		char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control = { 0 };
	int fds[DESCRIPTORS_MAX] = { call->in, call->out, call->envelope };
	size_t nfds = kind == STAGE_MESSAGE ? 3 : 2, done = 0;
	struct buf b = { 0 };
	struct header h = { 0 };
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room };
	struct cmsghdr *cmsg;
	int r = -1;

	if (buf_add(&b, &h, sizeof h) < 0 || pack(&b, &call->facts) < 0)
		goto out;
	h = (struct header){ (uint32_t)(b.len - sizeof h), (uint16_t)kind, (uint16_t)nfds };
	memcpy(b.p, &h, sizeof h);
	msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	while (done < b.len) {
		ssize_t n;

		iov = (struct iovec){ b.p + done, b.len - done };
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && is_ready(fd, POLLOUT, HANDOVER_WAIT_MS))
			continue;
		if (n < 0)
			goto out;
		done += (size_t)n;
		msg.msg_control = NULL; /* they went with the first octet */
		msg.msg_controllen = 0;
	}
	r = 0;
out:
	buf_free(&b);
	return r;
}

/* Receive what is there; descriptors that come along are stored, or closed where nobody wants more. -1 with errno. */
static ssize_t
receive(int fd, void *to, size_t n, int *fds, size_t *nfds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { to, n };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room
	};
	struct cmsghdr *cmsg;
	ssize_t r;

	for (;;) {
		r = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (r >= 0)
			break;
		if ((errno == EAGAIN || errno == EWOULDBLOCK) && is_ready(fd, POLLIN, HANDOVER_WAIT_MS))
			continue;
		if (errno != EINTR)
			return -1;
	}
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		size_t got, i;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		got = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < got; i++) {
			int one;

			memcpy(&one, CMSG_DATA(cmsg) + i * sizeof one, sizeof one);
			if (*nfds < DESCRIPTORS_MAX)
				fds[(*nfds)++] = one;
			else
				close(one);
		}
	}
	if (r == 0 || msg.msg_flags & MSG_CTRUNC) {
		errno = EPROTO;
		return -1;
	}
	return r;
}

static bool
may_call(uid_t uid, const struct handover_allow *allow)
{
	size_t i;

	for (i = 0; allow && i < allow->n; i++)
		if (allow->uid[i] == uid)
			return true;
	return uid == 0 || uid == geteuid();
}

int
handover_receive(int fd, struct call *call, enum stage_kind kind, const struct handover_allow *allow)
{
	int fds[DESCRIPTORS_MAX] = { -1, -1, -1 }, e;
	size_t nfds = 0, want = kind == STAGE_MESSAGE ? 3 : 2, got, i;
	struct header h;
	struct buf b = { 0 };
	ssize_t r;
	uid_t uid;

	if (os_peer_uid(fd, &uid) < 0)
		return -1;
	if (!may_call(uid, allow)) {
		errno = EPERM;
		return -1;
	}
	if (buf_room(&b, sizeof h + 4096) < 0)
		return -1;
	/* The header may come in pieces like anything on a stream, and usually comes with all the rest. */
	for (got = 0; got < sizeof h || got < sizeof h + h.length;) {
		if (buf_room(&b, got < sizeof h ? 4096 : sizeof h + h.length) < 0)
			goto fail;
		r = receive(fd, b.p + got, b.cap - 1 - got, fds, &nfds);
		if (r < 0)
			goto fail;
		got += (size_t)r;
		if (got >= sizeof h)
			memcpy(&h, b.p, sizeof h);
		errno = EPROTO;
		if (got >= sizeof h &&
		    (h.length > HANDOVER_FACTS_MAX || h.kind != kind || h.descriptors != want || nfds != want))
			goto fail;
	}
	errno = EPROTO;
	if (got != sizeof h + h.length)
		goto fail;
	if (kind == STAGE_MESSAGE && (message_size(fds[0]) < 0 || message_size(fds[2]) < 0))
		goto fail;
	if (facts_from_call(&call->facts, b.p + sizeof h, h.length, HANDOVER_NAMES_MAX) < 0)
		goto fail;
	buf_free(&b);
	call->in = fds[0];
	call->out = fds[1];
	call->envelope = kind == STAGE_MESSAGE ? fds[2] : -1;
	return 0;
fail:
	e = errno;
	for (i = 0; i < nfds; i++)
		close(fds[i]);
	facts_free(&call->facts);
	buf_free(&b);
	errno = e;
	return -1;
}

int
handover_acknowledge(int fd)
{
	return send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

int
handover_acknowledged(int fd, int wait_ms)
{
	char octet;

	if (wait_ms > 0 && !is_ready(fd, POLLIN, wait_ms))
		return -1;
	switch (recv(fd, &octet, 1, MSG_DONTWAIT)) {
	case 1:
		return 0;
	case 0:
		errno = ECONNRESET;
		return -1;
	default:
		return -1;
	}
}
