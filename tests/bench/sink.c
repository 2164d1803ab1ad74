/* ISC licence, see LICENSE. */
/*
 * Take mail by LMTP (-s: SMTP), say 250 to everything and keep only the count of it.
 *
 * One process, one epoll loop, one write for all replies to what one read brought. Prints "ready PORT" when it listens,
 * ends on SIGTERM. The command XCOUNT, or bench-sink -q PORT from outside, answers with what came so far: messages,
 * recipients, octets (as they stood on the wire: dots stuffed, without the line that is "."), connections, its own CPU
 * in ms. "bench-sink -f" prints a port that is free and ends.
 *
 * With -r the last message is in a file: the lines of its envelope, as they came, then its content, as it stood on the
 * wire. The file is complete before the message is answered.
 */
#define _GNU_SOURCE /* memmem, accept4 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_MAX = 65536, OUTPUT_MAX = 16384, COMMAND_MAX = 8192, RCPTS_MAX = 100 };

enum state { COMMAND, DATA, CHUNK };

struct lineio {
	int fd;
	enum state state;
	uint32_t interest;
	int gone;              /* QUIT was said: close when all is written */
	int recipients;
	unsigned long long chunk; /* octets of this BDAT still to come */
	int last;              /* it is the last one */
	int line_start;        /* DATA: the next octet begins a line */
	size_t in_len, out_len;
	char in[INPUT_MAX];
	char out[OUTPUT_MAX];
};

struct sink {
	int epoll, smtp, chunking, delayed_ack;
	unsigned long long messages, recipients, octets, connections;
	FILE *record; /* NULL: none */
};

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bench-sink: %s: %s\n", what, strerror(errno));
	exit(111);
}

static void
put(struct lineio *c, const char *text)
{
	size_t n = strlen(text);

	if (n > OUTPUT_MAX - c->out_len) {
		c->gone = 1;
		return;
	}
	memcpy(c->out + c->out_len, text, n);
	c->out_len += n;
}

static void
count(struct sink *k, struct lineio *c)
{
	char line[256];
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	snprintf(line, sizeof line, "250 messages=%llu recipients=%llu octets=%llu connections=%llu cpu_ms=%.1f\r\n",
	    k->messages, k->recipients, k->octets, k->connections,
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e3 +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e3);
	put(c, line);
}

static void
record(struct sink *k, const char *what, size_t n)
{
	if (k->record && fwrite(what, 1, n, k->record) != n)
		die("record");
}

/* A transaction begins: forget the last one. */
static void
record_anew(struct sink *k)
{
	if (k->record && (fflush(k->record) || fseek(k->record, 0, SEEK_SET) || ftruncate(fileno(k->record), 0)))
		die("record");
}

/* The message is complete: LMTP answers once for each recipient (RFC 2033 4.2). */
static void
taken(struct sink *k, struct lineio *c)
{
	int i;

	if (k->record && fflush(k->record))
		die("record");
	k->messages++;
	k->recipients += (unsigned)c->recipients;
	for (i = 0; i < (k->smtp ? 1 : c->recipients); i++)
		put(c, "250 2.0.0 Taken\r\n");
	c->recipients = 0;
	c->state = COMMAND;
}

static int
is(const char *line, size_t n, const char *verb)
{
	size_t v = strlen(verb);

	return n >= v && strncasecmp(line, verb, v) == 0 && (n == v || line[v] == ' ');
}

/* Obey one line, its CRLF removed, NUL-ended. */
static void
obey(struct sink *k, struct lineio *c, const char *line, size_t n)
{
	if (is(line, n, "MAIL"))
		record_anew(k);
	if (is(line, n, "MAIL") || is(line, n, "RCPT")) {
		record(k, line, n);
		record(k, "\r\n", 2);
	}
	if (is(line, n, k->smtp ? "EHLO" : "LHLO")) {
		put(c, "250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE\r\n");
		if (k->chunking)
			put(c, "250-CHUNKING\r\n");
		put(c, "250 ENHANCEDSTATUSCODES\r\n");
		c->recipients = 0;
	} else if (is(line, n, "HELO") && k->smtp) {
		put(c, "250 sink.example.org\r\n");
	} else if (is(line, n, "RCPT")) {
		if (c->recipients < RCPTS_MAX) {
			c->recipients++;
			put(c, "250 2.1.5 OK\r\n");
		} else
			put(c, "452 4.5.3 Too many recipients\r\n");
	} else if (is(line, n, "DATA")) {
		if (c->recipients > 0) {
			put(c, "354 Go on\r\n");
			c->state = DATA;
			c->line_start = 1;
		} else
			put(c, "503 5.5.1 No recipient\r\n");
	} else if (is(line, n, "BDAT") && k->chunking) {
		char *end;

		c->chunk = strtoull(line + 4, &end, 10);
		c->last = strncasecmp(end, " LAST", 5) == 0;
		c->state = CHUNK;
	} else if (is(line, n, "MAIL") || is(line, n, "RSET")) {
		c->recipients = 0;
		put(c, "250 2.0.0 OK\r\n");
	} else if (is(line, n, "NOOP")) {
		put(c, "250 2.0.0 OK\r\n");
	} else if (is(line, n, "XCOUNT")) {
		count(k, c);
	} else if (is(line, n, "QUIT")) {
		put(c, "221 2.0.0 Bye\r\n");
		c->gone = 1;
	} else
		put(c, "500 5.5.1 What?\r\n");
}

/*
 * The content up to its "." line: how much of the n octets at p is used; 0: more must come. The last octets wait, as
 * they may begin that line.
 */
static size_t
content(struct sink *k, struct lineio *c, const char *p, size_t n)
{
	const char *end;

	if (c->line_start) {
		if (memcmp(p, ".\r\n", n < 3 ? n : 3) == 0) {
			if (n < 3)
				return 0;
			taken(k, c);
			return 3;
		}
		c->line_start = 0;
	}
	if ((end = memmem(p, n, "\r\n.\r\n", 5))) {
		k->octets += (unsigned long long)(end + 2 - p);
		record(k, p, (size_t)(end + 2 - p));
		taken(k, c);
		return (size_t)(end + 5 - p);
	}
	n = n < 4 ? 0 : n - 4;
	k->octets += n;
	record(k, p, n);
	return n;
}

/* Use what is in c->in. 0, 1 when replies must go out first, -1 when the peer talks nonsense. */
static int
consume(struct sink *k, struct lineio *c)
{
	size_t at = 0, used;
	int full = 0;
	char *lf;

	while (at < c->in_len && !c->gone) {
		size_t left = c->in_len - at;

		if ((full = c->out_len > OUTPUT_MAX / 2))
			break;
		if (c->state == DATA) {
			if ((used = content(k, c, c->in + at, left)) == 0)
				break;
			at += used;
			continue;
		}
		if (c->state == CHUNK && c->chunk > 0) {
			used = left < c->chunk ? left : (size_t)c->chunk;
			c->chunk -= used;
			k->octets += used;
			record(k, c->in + at, used);
			at += used;
		} else if (c->state == COMMAND) {
			size_t n;

			if (!(lf = memchr(c->in + at, '\n', left))) {
				if (left > COMMAND_MAX)
					return -1;
				break;
			}
			n = (size_t)(lf - (c->in + at));
			if (n > 0 && lf[-1] == '\r')
				lf[-1] = '\0';
			*lf = '\0';
			obey(k, c, c->in + at, strlen(c->in + at));
			at += n + 1;
		}
		if (c->state == CHUNK && c->chunk == 0) {
			if (c->last)
				taken(k, c);
			else
				put(c, "250 2.0.0 Go on\r\n");
			c->state = COMMAND;
		}
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return full;
}

static void
watch(struct sink *k, struct lineio *c, uint32_t interest)
{
	struct epoll_event ev = { .events = interest, .data.ptr = c };

	if (c->interest == interest)
		return;
	if (epoll_ctl(k->epoll, c->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev) == -1)
		die("epoll_ctl");
	c->interest = interest;
}

/* 0, -1 when the connection is at its end. A peer that does not read its replies is not read from. */
static int
flush(struct sink *k, struct lineio *c)
{
	ssize_t n;

	if (c->out_len > 0) {
		if ((n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL)) == -1) {
			if (errno != EAGAIN)
				return -1;
			n = 0;
		}
		memmove(c->out, c->out + n, c->out_len - (size_t)n);
		c->out_len -= (size_t)n;
	}
	if (c->out_len == 0 && c->gone)
		return -1;
	watch(k, c, c->out_len > 0 ? EPOLLOUT : EPOLLIN);
	return 0;
}

static int
serve(struct sink *k, struct lineio *c)
{
	ssize_t n;
	int one = 1, more;

	if (c->out_len > 0) {
		if (flush(k, c) == -1)
			return -1;
		if (c->out_len > 0)
			return 0;
	} else {
		n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
		if (n <= 0)
			return n == -1 && errno == EAGAIN ? 0 : -1;
		c->in_len += (size_t)n;
		/* No server shall wait for our delayed ACK. */
		if (!k->delayed_ack)
			setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
	}
	do {
		if ((more = consume(k, c)) == -1 || flush(k, c) == -1)
			return -1;
	} while (more && c->out_len == 0);
	return 0;
}

static void
admit(struct sink *k, int listener)
{
	struct lineio *c;
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1)
		return;
	if (!(c = malloc(sizeof *c)))
		die("memory");
	memset(c, 0, offsetof(struct lineio, in));
	c->fd = fd;
	k->connections++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	put(c, k->smtp ? "220 sink.example.org ESMTP\r\n" : "220 sink.example.org LMTP\r\n");
	if (flush(k, c) == -1) {
		close(fd);
		free(c);
	}
}

/* A socket on that port of 127.0.0.1 (0: any); *port becomes the one it is. */
static int
listening(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port) };
	socklen_t n = sizeof at;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == -1 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) == -1 || listen(fd, 1024) == -1 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) == -1)
		die("listen");
	*port = ntohs(at.sin_port);
	return fd;
}

/* Ask the sink on that port for its counts and print them. */
static int
query(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char line[512];
	FILE *f;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof to) == -1 || !(f = fdopen(fd, "r+")))
		die("connect");
	if (!fgets(line, sizeof line, f) || send(fd, "XCOUNT\r\n", 8, MSG_NOSIGNAL) != 8 || !fgets(line, sizeof line, f) ||
	    strncmp(line, "250 ", 4) != 0) {
		fputs("bench-sink: no answer\n", stderr);
		return 111;
	}
	fclose(f);
	line[strcspn(line, "\r")] = '\0';
	puts(line + 4);
	return 0;
}

static int
usage(void)
{
	fputs("usage: bench-sink [-bds] [-r file] port | bench-sink -q port | bench-sink -f\n"
	    "-s: SMTP; -b: offer CHUNKING; -d: leave delayed ACKs on; -r: the last message into that file;\n"
	    "port 0: any\n", stderr);
	return 100;
}

int
main(int argc, char *argv[])
{
	struct sink k = { 0 };
	struct epoll_event events[64], fresh = { .events = EPOLLIN, .data.ptr = NULL };
	int c, i, n, port, listener, ask = 0, find = 0;

	while ((c = getopt(argc, argv, "+bdfqr:s")) != -1) {
		switch (c) {
		case 'b': k.chunking = 1; break;
		case 'd': k.delayed_ack = 1; break;
		case 'f': find = 1; break;
		case 'q': ask = 1; break;
		case 'r':
			if (!(k.record = fopen(optarg, "w")))
				die(optarg);
			break;
		case 's': k.smtp = 1; break;
		default: return usage();
		}
	}
	if (argc - optind != !find)
		return usage();
	port = find ? 0 : atoi(argv[optind]);
	if (ask)
		return query(port);
	listener = listening(&port);
	if (find) {
		printf("%d\n", port);
		return 0;
	}
	if ((k.epoll = epoll_create1(EPOLL_CLOEXEC)) == -1 || epoll_ctl(k.epoll, EPOLL_CTL_ADD, listener, &fresh) == -1)
		die("epoll");
	printf("ready %d\n", port);
	fflush(stdout);
	for (;;) {
		n = epoll_wait(k.epoll, events, 64, -1);
		if (n == -1 && errno != EINTR)
			die("epoll_wait");
		for (i = 0; i < n; i++) {
			struct lineio *conn = events[i].data.ptr;

			if (!conn)
				admit(&k, listener);
			else if (serve(&k, conn) == -1) {
				close(conn->fd);
				free(conn);
			}
		}
	}
}
