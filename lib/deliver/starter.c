/* ISC licence, see LICENSE. */
#include "deliver/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"

enum what { WHAT_CONNECT, WHAT_TLS, WHAT_AUTH };

struct request {
	enum what what;
	unsigned hop;
	int seconds;         /* of WHAT_TLS */
	int64_t deadline_ms; /* of WHAT_CONNECT */
};

struct answer {
	char why[STARTER_WHY]; /* if there is no descriptor */
};

enum {
	FDS_MAX = 2,
	FD_REQUESTS = 3,    /* in the starter */
	FD_CREDENTIALS = 4,
	TLSC_WORDS = 9,
	SECONDS_ROOM = 16,
	ANSWER_MS = 500,
};

/* Descriptors on their way */

union control { /* aligned as a control message must be */
	struct cmsghdr header;
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* Send n octets with nfds descriptors in one message. Returns 0, or -1 with errno set. */
static int
send_with(int to, void *data, size_t n, const int *fd, size_t nfds)
{
	union control control = { 0 };
	struct iovec iov = { data, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t r;

	if (nfds > 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fd, nfds * sizeof(int));
	}
	do
		r = sendmsg(to, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r == (ssize_t)n ? 0 : -1;
}

/* Receive such a message. Returns the number of octets, or -1 with errno set; *nfds descriptors came, close-on-exec. */
static ssize_t
receive_with(int from, void *data, size_t n, int fd[FDS_MAX], size_t *nfds)
{
	union control control;
	struct iovec iov = { data, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
		.msg_controllen = sizeof control.room };
	struct cmsghdr *cmsg;
	ssize_t r;

	*nfds = 0;
	do
		r = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return r;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
		*nfds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fd, CMSG_DATA(cmsg), *nfds * sizeof(int));
	}
	return r;
}

/* The programs */

struct tlsc {
	char seconds[SECONDS_ROOM];
	char *argv[TLSC_WORDS];
};

static void
tlsc_words(struct tlsc *t, const struct client_conf *conf, const struct nexthop *n, int seconds)
{
	const char *name = conf->name ? conf->name : n->host;
	size_t i = 0;

	snprintf(t->seconds, sizeof t->seconds, "%d", seconds);
	t->argv[i++] = (char *)(uintptr_t)"tlsc";
	if (conf->cafile) {
		t->argv[i++] = (char *)(uintptr_t)"-c";
		t->argv[i++] = (char *)(uintptr_t)conf->cafile;
	}
	if (conf->fingerprint) {
		t->argv[i++] = (char *)(uintptr_t)"-F";
		t->argv[i++] = (char *)(uintptr_t)conf->fingerprint;
	}
	t->argv[i++] = (char *)(uintptr_t)"-t";
	t->argv[i++] = t->seconds;
	t->argv[i++] = (char *)(uintptr_t)(*name ? name : "localhost");
	t->argv[i] = NULL;
}

static char *const saslc[] = { (char *)(uintptr_t)"saslc", NULL };

static bool
is_loopback_only(const struct client_conf *conf)
{
	return conf->tls == CLIENT_CLEAR && conf->loopback;
}

/* The starter */

static void
serve(const struct client_conf *conf, const struct nexthop *n, const struct request *r, const int *fd, size_t nfds)
{
	struct answer answer = { "" };
	struct tlsc tlsc;
	const char *why = NULL;
	int s;

	signal(SIGCHLD, SIG_DFL); /* the resolver's child is waited for */
	if (r->what == WHAT_CONNECT && nfds == 1) {
		s = nexthop_connect(n, is_loopback_only(conf), r->deadline_ms, &why);
		if (s < 0)
			snprintf(answer.why, sizeof answer.why, "%s", why);
		send_with(fd[0], &answer, sizeof answer, &s, s >= 0);
	} else if (r->what == WHAT_TLS && nfds == 2) {
		tlsc_words(&tlsc, conf, n, r->seconds);
		helper_become(tlsc.argv, fd[0], fd[1]);
	} else if (r->what == WHAT_AUTH && nfds == 1)
		helper_become(saslc, fd[0], FD_CREDENTIALS);
}

static void
run(const struct client_conf *conf, const struct nexthop *hop, size_t nhops)
{
	struct request r;
	int fd[FDS_MAX];
	size_t nfds, i;
	ssize_t got;

	while ((got = receive_with(FD_REQUESTS, &r, sizeof r, fd, &nfds)) > 0) {
		if (got == (ssize_t)sizeof r && r.hop < nhops && fork() == 0) {
			serve(conf, &hop[r.hop], &r, fd, nfds);
			_exit(0);
		}
		for (i = 0; i < nfds; i++)
			close(fd[i]);
	}
}

/* In the child: keep the log, the requests and the credentials, and nothing of any call. Returns 0, or -1. */
static int
settle(int requests, int credentials)
{
	int from = fcntl(requests, F_DUPFD_CLOEXEC, FD_CREDENTIALS + 1);
	int given = credentials < 0 ? -1 : fcntl(credentials, F_DUPFD_CLOEXEC, FD_CREDENTIALS + 1);

	if (from < 0 || (credentials >= 0 && given < 0) || dup2(from, FD_REQUESTS) < 0)
		return -1;
	close(FD_CREDENTIALS);
	if (given >= 0 && dup2(given, FD_CREDENTIALS) < 0)
		return -1;
	fcntl(FD_REQUESTS, F_SETFD, FD_CLOEXEC);
	fcntl(FD_CREDENTIALS, F_SETFD, FD_CLOEXEC);
	close(0);
	close(1);
	os_close_from(FD_CREDENTIALS + 1);
	signal(SIGCHLD, SIG_IGN); /* nobody waits for a program */
	return os_fill_standard();
}

int
starter_open(struct starter *s, const struct client_conf *conf, const struct nexthop *hop, size_t nhops)
{
	int fd[2], e;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0)
		return -1;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		if (settle(fd[1], conf->credentials) == 0)
			run(conf, hop, nhops);
		_exit(0);
	}
	e = errno;
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		errno = e;
		return -1;
	}
	*s = (struct starter){ fd[0], hop };
	return 0;
}

/* The client */

/* Ask the starter, with the descriptor work (-1: none). Returns our end of a socket, or -1 with errno set. */
static int
ask(const struct starter *s, struct request *r, int work)
{
	int pair[2], fd[FDS_MAX], e, failed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	fd[0] = pair[1];
	fd[1] = work;
	failed = send_with(s->fd, r, sizeof *r, fd, work < 0 ? 1 : 2);
	e = errno;
	close(pair[1]);
	if (failed)
		close(pair[0]);
	errno = e;
	return failed ? -1 : pair[0];
}

static unsigned
number_of(const struct starter *s, const struct nexthop *n)
{
	return (unsigned)(n - s->hop);
}

/* Ask the starter for a connection. Returns as starter_connect. */
static int
ask_for_connection(const struct starter *s, struct request *r, char why[STARTER_WHY])
{
	struct pollfd p = { .fd = ask(s, r, -1), .events = POLLIN };
	struct answer answer;
	int fd[FDS_MAX];
	size_t nfds = 0;
	ssize_t got = -1;

	if (p.fd < 0) {
		snprintf(why, STARTER_WHY, "%s", strerror(errno));
		return -1;
	}
	/* The starter's child keeps the deadline too, and knows which step was late: let it answer first. */
	while (poll(&p, 1, clock_left(r->deadline_ms) + ANSWER_MS) < 0 && errno == EINTR)
		;
	if (p.revents)
		got = receive_with(p.fd, &answer, sizeof answer, fd, &nfds);
	close(p.fd);
	if (got == (ssize_t)sizeof answer && nfds == 1)
		return fd[0];
	if (got == (ssize_t)sizeof answer)
		snprintf(why, STARTER_WHY, "%.*s", STARTER_WHY - 1, answer.why);
	else
		snprintf(why, STARTER_WHY, "the process that connects gave no answer");
	return -1;
}

int
starter_connect(const struct client_conf *conf, const struct nexthop *n, int64_t deadline_ms, char why[STARTER_WHY])
{
	struct request r = { .what = WHAT_CONNECT, .deadline_ms = deadline_ms };
	const char *reason = NULL;
	int fd;

	if (conf->starter) {
		r.hop = number_of(conf->starter, n);
		return ask_for_connection(conf->starter, &r, why);
	}
	fd = nexthop_connect(n, is_loopback_only(conf), deadline_ms, &reason);
	if (fd < 0)
		snprintf(why, STARTER_WHY, "%s", reason);
	return fd;
}

static int
start(const struct starter *s, struct request *r, int work, struct helper *h)
{
	int fd = ask(s, r, work);

	if (fd < 0)
		return -1;
	*h = (struct helper){ .pid = HELPER_OTHERS, .fd = fd };
	return 0;
}

int
starter_tls(const struct client_conf *conf, const struct nexthop *n, int seconds, int work, struct helper *h)
{
	struct request r = { .what = WHAT_TLS, .seconds = seconds };
	struct tlsc tlsc;

	if (conf->starter) {
		r.hop = number_of(conf->starter, n);
		return start(conf->starter, &r, work, h);
	}
	tlsc_words(&tlsc, conf, n, seconds);
	return helper_start(h, tlsc.argv, work);
}

int
starter_auth(const struct client_conf *conf, struct helper *h)
{
	struct request r = { .what = WHAT_AUTH };

	return conf->starter ? start(conf->starter, &r, -1, h) : helper_start(h, saslc, conf->credentials);
}
