/* ISC licence, see LICENSE. */
/*
 * Many connections of pump in one process, on edges of epoll, with waits of the caller's choice.
 *
 * usage: pumps [-i | -o] [-c command_ms] [-e early_ms] [-h handshake_ms] [-g greeting_ms] [-s stall_ms] cert key prog
 * [arg ...]
 *
 * Prints the port it listens on (127.0.0.1) and serves until its standard input ends; then it prints how many
 * connections there were, and how many octets a struct pump has. prog "-": an echo inside the process, without
 * any child.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"
#include "tlsd/conf.h"
#include "tlsd/pump.h"

enum { MAX = 4096 };

struct one {
	struct pump pump;
	struct all *all;
	int net, echo; /* -1: none */
};

struct all {
	struct one *of[MAX]; /* by descriptor: of its client, its app and its echo */
	struct pump_conf conf;
	struct log log;
	char **argv;
	int epoll, listen;
	unsigned long served;
};

static void
watch(struct all *a, int fd, struct one *o)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = { .fd = fd } };

	if (fd >= MAX || epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		exit(111);
	a->of[fd] = o;
}

static int
start(void *owner, enum reply *r)
{
	struct one *o = owner;
	struct all *a = o->all;
	int fd[2];

	(void)r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return PUMP_REFUSED;
	if (strcmp(a->argv[0], "-") == 0) {
		o->echo = fd[1];
		watch(a, fd[1], o);
		if (write(fd[1], "220 echo\r\n", 10) != 10)
			exit(111);
	} else {
		if (fork() == 0) {
			dup2(fd[1], 0);
			dup2(fd[1], 1);
			execvp(a->argv[0], a->argv);
			_exit(111);
		}
		close(fd[1]);
	}
	watch(a, fd[0], o);
	return fd[0];
}

static void
end_echo(struct one *o)
{
	if (o->echo >= 0)
		close(o->echo);
	o->echo = -1;
}

/* Small pieces, so that a test's few octets never fill it. */
static void
echo(struct one *o)
{
	char data[4096];
	ssize_t r;

	while ((r = recv(o->echo, data, sizeof data, MSG_DONTWAIT)) > 0)
		if (send(o->echo, data, (size_t)r, MSG_NOSIGNAL) != r)
			break;
	if (r == 0)
		end_echo(o);
}

static void
step(struct all *a, struct one *o)
{
	int i;

	for (;;)
		switch (pump_step(&o->pump)) {
		case PUMP_WAIT:
			return;
		case PUMP_AGAIN:
			break;
		case PUMP_DONE:
			pump_close(&o->pump);
			close(o->net);
			end_echo(o);
			for (i = 0; i < MAX; i++)
				if (a->of[i] == o)
					a->of[i] = NULL;
			free(o);
			a->served++;
			return;
		}
}

static void
admit(struct all *a)
{
	struct one *o;
	int fd = accept(a->listen, NULL, NULL);

	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	o = calloc(1, sizeof *o);
	if (!o || pump_open(&o->pump, &a->conf, o, fd, fd, &a->log, "client") < 0)
		exit(111);
	o->all = a;
	o->net = fd;
	o->echo = -1;
	watch(a, fd, o);
	step(a, o);
}

static int
port(int fd)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;

	if (bind(fd, (struct sockaddr *)&sin, len) < 0 || listen(fd, 256) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		return -1;
	return ntohs(sin.sin_port);
}

int
main(int argc, char *argv[])
{
	static struct all a = { .conf = { .host = "pumps", .command_ms = 300000, .handshake_ms = 60000,
		                    .greeting_ms = 60000, .stall_ms = 300000, .linger_ms = 1000 } };
	struct epoll_event e[64], in = { .events = EPOLLIN };
	struct tlsconf keys = { 0 };
	struct buf why = { 0 };
	int c, n, i;

	while ((c = getopt(argc, argv, "+ioc:e:h:g:s:")) != -1)
		if (c == 'i')
			a.conf.implicit = true;
		else if (c == 'o')
			a.conf.optional = true;
		else if (c == '?')
			return 100;
		else
			*(c == 'c' ? &a.conf.command_ms : c == 'h' ? &a.conf.handshake_ms :
			     c == 'g' ? &a.conf.greeting_ms : c == 'e' ? &a.conf.early_ms : &a.conf.stall_ms) = atoi(optarg);
	if (argc - optind < 3)
		return 100;
	a.argv = argv + optind + 2;
	a.conf.start = start;
	log_open(&a.log, "pumps", -1);
	keys.pair[0].cert = argv[optind];
	keys.pair[0].key = argv[optind + 1];
	keys.n = 1;
	a.conf.tls = tlsconf_server(&keys, &a.conf.authority, &why);
	a.epoll = epoll_create1(EPOLL_CLOEXEC);
	a.listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!a.conf.tls || (i = port(a.listen)) < 0)
		return 111;
	printf("%d\n", i);
	fflush(stdout);
	in.data.fd = a.listen;
	epoll_ctl(a.epoll, EPOLL_CTL_ADD, a.listen, &in);
	in.data.fd = 0;
	epoll_ctl(a.epoll, EPOLL_CTL_ADD, 0, &in);
	for (;;) {
		n = epoll_wait(a.epoll, e, 64, 20);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		for (i = 0; i < n; i++) {
			int fd = e[i].data.fd;
			struct one *o = a.of[fd];

			if (fd == 0) {
				printf("served %lu size %zu\n", a.served, sizeof(struct pump));
				tls_free(a.conf.tls);
				return 0;
			}
			if (fd == a.listen)
				admit(&a);
			else if (o && fd == o->echo)
				echo(o);
			else if (o) {
				pump_event(&o->pump, fd, (short)e[i].events);
				step(&a, o);
			}
		}
		for (i = 0; i < MAX; i++)
			if (a.of[i] && a.of[i]->net == i && pump_deadline_ms(&a.of[i]->pump) &&
			    pump_deadline_ms(&a.of[i]->pump) <= clock_ms())
				step(&a, a.of[i]);
	}
}
