/* ISC licence, see LICENSE. */
/*
 * Submit messages as fast as a server takes them and measure it; or hold authenticated connections open.
 *
 * One process, one epoll loop: on a small machine it competes with the server, so it makes few system calls. Every
 * session makes a full handshake (nothing is resumed), authenticates, sends its messages one after the other and says
 * QUIT. A message's latency runs from the first octet of MAIL to the last of the answer to its content.
 *
 * Prints one line, name=value with single spaces between them; seconds run to the last 250, cpu_ms is this process's
 * own. tls is the version, suite and group of the first handshake, and tickets counts the session tickets that came.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { REPLY_MAX = 4096, COMMAND_MAX = 2048 };

enum state { GREETING, EHLO, STARTTLS, HANDSHAKE, AUTH, ENVELOPE, CONTENT, RSET, HELD, QUIT };

enum tls { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

struct options {
	int port, concurrent, delayed_ack, incomplete, limit_s;
	long sessions, messages, idle; /* idle > 0: open that many and hold them */
	size_t size;                   /* octets of a message, the line that is "." not counted */
	enum tls tls;
	const char *user, *password, *sender, *recipient;
};

struct session {
	int fd;
	SSL *ssl; /* NULL: in the clear */
	enum state state;
	uint32_t interest;     /* what epoll watches */
	long left;             /* messages not yet decided */
	int step, refused;     /* ENVELOPE: the command whose reply is awaited (0 MAIL, 1 RCPT, 2 DATA); one was refused */
	int pipelining, secure;
	int64_t began_us;      /* this message's MAIL */
	const char *out;       /* what is being written: command, or the load's message */
	size_t out_left;
	size_t in_len;
	char in[REPLY_MAX];
	char command[COMMAND_MAX];
};

struct load {
	struct options opt;
	SSL_CTX *ctx;
	int epoll;
	char *message; /* with its final "." line */
	size_t message_len;
	char auth[1024];
	long started, finished;  /* sessions */
	long opening, held, lost; /* idle mode */
	long accepted, failed, sessions_failed;
	int64_t first_us, last_us; /* start, last 250 */
	uint32_t *latency_us;
	long tickets;
	char error[256], tls[128];
};

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
	exit(111);
}

/* Keep the first reason why anything failed, one line, without quotes. */
static void
blame(struct load *l, const char *what, const char *detail, size_t n)
{
	size_t i;

	if (l->error[0])
		return;
	snprintf(l->error, sizeof l->error, "%s: %.*s", what, (int)(n < 160 ? n : 160), detail);
	for (i = 0; l->error[i]; i++)
		if (l->error[i] < ' ' || l->error[i] == '"')
			l->error[i] = ' ';
}

static void
watch(struct load *l, struct session *s, uint32_t interest)
{
	struct epoll_event ev = { .events = interest, .data.ptr = s };

	if (s->interest == interest)
		return;
	if (epoll_ctl(l->epoll, s->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &ev) == -1)
		die("epoll_ctl");
	s->interest = interest;
}

/* The session is over; what it had not sent has failed. */
static void
end(struct load *l, struct session *s)
{
	if (s->state == HELD) {
		l->held--;
		l->lost++;
	} else if (l->opt.idle)
		l->opening--;
	l->failed += s->left;
	if (s->state != QUIT) {
		l->sessions_failed++;
		blame(l, "session", "connection lost", 15);
	}
	if (s->ssl) {
		if (s->state == QUIT)
			SSL_shutdown(s->ssl);
		SSL_free(s->ssl);
	}
	close(s->fd);
	free(s);
	l->finished++;
}

/* Write what is pending: 0, or -1 when the connection is lost. */
static int
flush(struct load *l, struct session *s)
{
	ssize_t n;

	while (s->out_left > 0) {
		if (s->ssl) {
			int r = SSL_write(s->ssl, s->out, (int)s->out_left);

			n = r;
			if (r <= 0) {
				r = SSL_get_error(s->ssl, r);
				if (r != SSL_ERROR_WANT_WRITE && r != SSL_ERROR_WANT_READ)
					return -1;
				break;
			}
		} else if ((n = send(s->fd, s->out, s->out_left, MSG_NOSIGNAL)) == -1) {
			if (errno != EAGAIN && errno != ENOTCONN)
				return -1;
			break;
		}
		s->out += n;
		s->out_left -= (size_t)n;
	}
	watch(l, s, s->out_left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return 0;
}

static int
say(struct load *l, struct session *s, enum state state, const char *what, size_t n)
{
	s->state = state;
	s->out = what;
	s->out_left = n;
	return flush(l, s);
}

#define SAY(l, s, state, text) say(l, s, state, text, sizeof text - 1)

/* Send the envelope command of s->step, or all three where PIPELINING allows. */
static int
envelope(struct load *l, struct session *s)
{
	const struct options *o = &l->opt;
	int n = 0;

	if (s->step == 0) {
		s->began_us = now_us();
		s->refused = 0;
		n = snprintf(s->command, COMMAND_MAX, "MAIL FROM:<%s>\r\n", o->sender);
	}
	if (s->step == 1 || s->pipelining)
		n += snprintf(s->command + n, COMMAND_MAX - (size_t)n, "RCPT TO:<%s>\r\n", o->recipient);
	if (s->step == 2 || s->pipelining)
		n += snprintf(s->command + n, COMMAND_MAX - (size_t)n, "DATA\r\n");
	return say(l, s, ENVELOPE, s->command, (size_t)n);
}

/* Begin the next message, or end the session. */
static int
next(struct load *l, struct session *s)
{
	if (l->opt.idle) {
		s->state = HELD;
		l->opening--;
		l->held++;
		return 0;
	}
	if (s->left == 0)
		return SAY(l, s, QUIT, "QUIT\r\n");
	s->step = 0;
	return envelope(l, s);
}

static int
fail_message(struct load *l, struct session *s, const char *reply, size_t n)
{
	blame(l, "message", reply, n);
	l->failed++;
	s->left--;
	return SAY(l, s, RSET, "RSET\r\n");
}

/* OpenSSL calls this for each session ticket, once the client has read it. */
static int
ticket(SSL *ssl, SSL_SESSION *session)
{
	struct load *l = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)session;
	l->tickets++;
	return 0;
}

static int
handshake(struct load *l, struct session *s)
{
	int r;

	if (!s->ssl) {
		s->ssl = SSL_new(l->ctx);
		if (!s->ssl || !SSL_set_fd(s->ssl, s->fd) || !SSL_set_tlsext_host_name(s->ssl, "localhost"))
			return -1;
		SSL_set_connect_state(s->ssl);
	}
	s->state = HANDSHAKE;
	if ((r = SSL_do_handshake(s->ssl)) != 1) {
		r = SSL_get_error(s->ssl, r);
		if (r != SSL_ERROR_WANT_READ && r != SSL_ERROR_WANT_WRITE) {
			char text[160];

			ERR_error_string_n(ERR_peek_error(), text, sizeof text);
			ERR_clear_error();
			blame(l, "TLS", text, strlen(text));
			return -1;
		}
		watch(l, s, r == SSL_ERROR_WANT_WRITE ? EPOLLIN | EPOLLOUT : EPOLLIN);
		return 0;
	}
	s->secure = 1;
	if (!l->tls[0])
		snprintf(l->tls, sizeof l->tls, "%s/%s/%s", SSL_get_version(s->ssl), SSL_get_cipher_name(s->ssl),
		    OBJ_nid2sn((int)SSL_get_negotiated_group(s->ssl)));
	if (l->opt.tls == TLS_IMPLICIT) {
		s->state = GREETING;
		watch(l, s, EPOLLIN);
		return 0;
	}
	s->pipelining = 0;
	return SAY(l, s, EHLO, "EHLO load.example.net\r\n");
}

static int
envelope_reply(struct load *l, struct session *s, int code, const char *reply, size_t n)
{
	if (s->step < 2) {
		if (code != 250) {
			s->refused = 1;
			if (!s->pipelining)
				return fail_message(l, s, reply, n);
			blame(l, "message", reply, n);
		}
		s->step++;
		return s->pipelining ? 0 : envelope(l, s);
	}
	if (code != 354)
		return fail_message(l, s, reply, n);
	if (s->refused) /* the server waits for content all the same: give it none */
		return SAY(l, s, CONTENT, ".\r\n");
	return say(l, s, CONTENT, l->message, l->message_len);
}

/* A complete reply: code, and the text of its last line. 0, 1 when the session is complete, -1 when it is broken. */
static int
reply(struct load *l, struct session *s, int code, const char *text, size_t n)
{
	if (s->state == QUIT)
		return 1;
	if (code == 421) {
		blame(l, "session", text, n);
		return -1;
	}
	switch (s->state) {
	case GREETING:
		if (code == 220)
			return SAY(l, s, EHLO, "EHLO load.example.net\r\n");
		break;
	case EHLO:
		if (code != 250)
			break;
		if (l->opt.tls == TLS_NONE)
			return next(l, s);
		if (!s->secure)
			return SAY(l, s, STARTTLS, "STARTTLS\r\n");
		return say(l, s, AUTH, l->auth, strlen(l->auth));
	case STARTTLS:
		if (code == 220)
			return handshake(l, s);
		break;
	case AUTH:
		if (code == 235)
			return next(l, s);
		break;
	case ENVELOPE:
		return envelope_reply(l, s, code, text, n);
	case CONTENT:
		if (code != 250 || s->refused)
			return fail_message(l, s, text, n);
		l->last_us = now_us();
		l->latency_us[l->accepted++] = (uint32_t)(l->last_us - s->began_us);
		s->left--;
		return next(l, s);
	case RSET:
		return next(l, s);
	case HANDSHAKE: case HELD: case QUIT:
		break;
	}
	blame(l, "session", text, n);
	return -1;
}

/* Take the complete lines out of s->in. As reply. */
static int
replies(struct load *l, struct session *s)
{
	size_t at = 0;
	int r = 0;

	while (r == 0) {
		const char *line = s->in + at, *lf = memchr(line, '\n', s->in_len - at);
		size_t n;

		if (!lf)
			break;
		n = (size_t)(lf - line) + 1;
		at += n;
		if (n < 5)
			return -1;
		if (s->state == EHLO && n >= 14 && strncasecmp(line + 4, "PIPELINING", 10) == 0)
			s->pipelining = 1;
		if (line[3] == '-')
			continue;
		r = reply(l, s, atoi(line), line, n);
		/* What stood behind the answer to STARTTLS was not protected. */
		if (s->state == HANDSHAKE && at < s->in_len) {
			blame(l, "TLS", "text behind STARTTLS", 20);
			return -1;
		}
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
	return r == 0 && s->in_len == sizeof s->in ? -1 : r;
}

/* Read what is there. As reply. */
static int
receive(struct load *l, struct session *s)
{
	int one = 1, r;
	ssize_t n;

	/* Linux leaves this mode by itself; without it a server that writes in pieces waits for our delayed ACK. */
	if (!l->opt.delayed_ack)
		setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
	do {
		size_t room = sizeof s->in - s->in_len;

		if (s->ssl) {
			n = r = SSL_read(s->ssl, s->in + s->in_len, (int)room);
			if (r <= 0) {
				r = SSL_get_error(s->ssl, r);
				return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : s->state == QUIT ? 1 : -1;
			}
		} else if ((n = recv(s->fd, s->in + s->in_len, room, 0)) <= 0) {
			if (n == -1 && errno == EAGAIN)
				return 0;
			if (n == -1)
				blame(l, "session", strerror(errno), strlen(strerror(errno)));
			return s->state == QUIT ? 1 : -1;
		}
		s->in_len += (size_t)n;
		if ((r = replies(l, s)) != 0)
			return r;
	} while (s->ssl && s->state != HANDSHAKE && SSL_has_pending(s->ssl));
	return 0;
}

static void
begin(struct load *l)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->opt.port) };
	struct session *s = calloc(1, sizeof *s);
	int one = 1;

	if (!s)
		die("memory");
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->left = l->opt.messages;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		die("socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	l->started++;
	if (l->opt.idle)
		l->opening++;
	watch(l, s, EPOLLIN);
	if (connect(s->fd, (struct sockaddr *)&to, sizeof to) == -1 && errno != EINPROGRESS) {
		blame(l, "connect", strerror(errno), strlen(strerror(errno)));
		end(l, s);
	} else if (l->opt.tls == TLS_IMPLICIT && handshake(l, s) == -1)
		end(l, s);
}

static void
event(struct load *l, struct session *s, uint32_t events)
{
	int r = 0;

	if (s->state == HANDSHAKE)
		r = handshake(l, s);
	else if (events & EPOLLOUT)
		r = flush(l, s);
	if (r == 0 && s->state != HANDSHAKE && (events & ~(uint32_t)EPOLLOUT || (s->ssl && SSL_has_pending(s->ssl))))
		r = receive(l, s);
	if (r != 0)
		end(l, s);
}

/* Run until all is done, the limit is reached, or (idle) a signal says so. 0, 1 at the limit. */
static int
run(struct load *l, int signals)
{
	struct options *o = &l->opt;
	struct epoll_event events[64];
	struct epoll_event told = { .events = EPOLLIN, .data.ptr = NULL };
	int64_t until_us = now_us() + (int64_t)o->limit_s * 1000000;
	int i, n, ready = 0;

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, signals, &told) == -1)
		die("epoll_ctl");
	for (;;) {
		while (l->started < o->sessions &&
		    (o->idle ? l->opening : l->started - l->finished) < o->concurrent)
			begin(l);
		if (l->finished == o->sessions)
			return 0;
		if (o->idle && !ready && l->started == o->sessions && l->opening == 0) {
			printf("ready %ld\n", l->held);
			fflush(stdout);
			ready = 1;
		}
		n = epoll_wait(l->epoll, events, 64, 1000);
		if (n == -1 && errno != EINTR)
			die("epoll_wait");
		for (i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				return 0;
			event(l, events[i].data.ptr, events[i].events);
		}
		if (now_us() > until_us && !ready) {
			blame(l, "limit", "not everything was done in time", 31);
			return 1;
		}
	}
}

static int
compare(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

/* The nearest-rank percentile of n sorted values, in ms. */
static double
percentile(const uint32_t *v, long n, int p)
{
	return n ? v[(n * p + 99) / 100 - 1] / 1000.0 : 0;
}

static void
report(struct load *l, int late)
{
	struct rusage ru;
	double s = l->last_us ? (double)(l->last_us - l->first_us) / 1e6 : 0;
	long all = l->opt.sessions * l->opt.messages;

	getrusage(RUSAGE_SELF, &ru);
	if (l->opt.idle) {
		printf("held=%ld lost=%ld failed=%ld", l->held, l->lost, l->opt.idle - l->held - l->lost);
	} else {
		qsort(l->latency_us, (size_t)l->accepted, sizeof *l->latency_us, compare);
		printf("accepted=%ld failed=%ld sessions_failed=%ld seconds=%.3f rate=%.1f p50_ms=%.3f p99_ms=%.3f max_ms=%.3f",
		    l->accepted, all - l->accepted, l->sessions_failed + (late ? l->opt.sessions - l->finished : 0), s,
		    s > 0 ? (double)l->accepted / s : 0, percentile(l->latency_us, l->accepted, 50),
		    percentile(l->latency_us, l->accepted, 99), percentile(l->latency_us, l->accepted, 100));
	}
	printf(" cpu_ms=%.1f tls=%s tickets=%ld error=\"%s\"\n",
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e3 +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e3,
	    l->tls[0] ? l->tls : "none", l->tickets, l->error);
}

/* One message of size octets, lines of 78, and the "." line after it. -b: its header is incomplete, and has a Bcc. */
static void
compose(struct load *l)
{
	const struct options *o = &l->opt;
	size_t i, at;
	int n;

	l->message = malloc(o->size + 1024 + 3);
	if (!l->message)
		die("memory");
	n = snprintf(l->message, 1024, "From: Load <%s>\r\nTo: <%s>\r\nSubject: A message of %zu octets\r\n%s"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", o->sender, o->recipient, o->size,
	    o->incomplete ? "Bcc: <hidden@example.org>\r\n" :
	    "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <load@load.example.net>\r\n");
	at = (size_t)n;
	if (n >= 1024 || o->size < at + 2) {
		fprintf(stderr, "bench-load: -z: a message has at least %zu octets\n", at + 2);
		exit(100);
	}
	for (i = 0; at < o->size; i++, at++)
		l->message[at] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : (char)('a' + i % 23);
	/* The last line must be complete, and may not have a CR of its own before that. */
	if (l->message[at - 3] == '\r')
		l->message[at - 3] = '-';
	memcpy(l->message + at - 2, "\r\n.\r\n", 5);
	l->message_len = at + 3;
}

static void
set_auth(struct load *l)
{
	char plain[512], *b64;
	int n = snprintf(plain, sizeof plain, "%c%s%c%s", 0, l->opt.user, 0, l->opt.password);

	if (n >= (int)sizeof plain) {
		fputs("bench-load: user and password are too long\n", stderr);
		exit(100);
	}
	b64 = l->auth + sprintf(l->auth, "AUTH PLAIN ");
	n = EVP_EncodeBlock((unsigned char *)b64, (unsigned char *)plain, n);
	memcpy(b64 + n, "\r\n", 3);
}

static const char *
from_env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

static int
usage(void)
{
	fputs("usage: bench-load [-bdin] [-c concurrent] [-f sender] [-I idle] [-m messages] [-r recipient] "
	    "[-s sessions] [-T seconds] [-z octets] port\n"
	    "-b: a header without Date and Message-ID, with a Bcc; -i: TLS from the start; -n: neither TLS nor AUTH;\n"
	    "-d: leave delayed ACKs on; -I: hold that many connections, print \"ready N\", end on SIGTERM. User and\n"
	    "password: MSA_USER, MSA_PASSWORD.\n", stderr);
	return 100;
}

int
main(int argc, char *argv[])
{
	struct load l = { .opt = { .concurrent = 16, .sessions = 100, .messages = 1, .size = 10240, .limit_s = 120,
		.tls = TLS_STARTTLS, .recipient = "bob@example.org" } };
	struct options *o = &l.opt;
	struct rlimit files;
	sigset_t ends;
	int c, late, signals;

	o->user = from_env("MSA_USER", "alice@example.net");
	o->password = from_env("MSA_PASSWORD", "wonderland");
	o->sender = o->user;
	while ((c = getopt(argc, argv, "+bdinc:f:I:m:r:s:T:z:")) != -1) {
		switch (c) {
		case 'b': o->incomplete = 1; break;
		case 'i': o->tls = TLS_IMPLICIT; break;
		case 'd': o->delayed_ack = 1; break;
		case 'n': o->tls = TLS_NONE; break;
		case 'c': o->concurrent = atoi(optarg); break;
		case 'f': o->sender = optarg; break;
		case 'I': o->idle = atol(optarg); break;
		case 'm': o->messages = atol(optarg); break;
		case 'r': o->recipient = optarg; break;
		case 's': o->sessions = atol(optarg); break;
		case 'T': o->limit_s = atoi(optarg); break;
		case 'z': o->size = (size_t)strtoul(optarg, NULL, 10); break;
		default: return usage();
		}
	}
	if (argc - optind != 1 || (o->port = atoi(argv[optind])) <= 0 || o->port > 65535 || o->concurrent < 1 ||
	    o->sessions < 1 || o->messages < 1 || o->limit_s < 1 || o->idle < 0 || o->size > 1 << 30 ||
	    strlen(o->sender) > 254 || strlen(o->recipient) > 254)
		return usage();
	if (o->idle) {
		o->sessions = o->idle;
		o->messages = 0;
	}

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	if ((signals = signalfd(-1, &ends, SFD_CLOEXEC)) == -1 || (l.epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		die("epoll");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	compose(&l);
	set_auth(&l);
	l.latency_us = calloc((size_t)(o->sessions * o->messages) + 1, sizeof *l.latency_us);
	l.ctx = SSL_CTX_new(TLS_client_method());
	if (!l.latency_us || !l.ctx || !SSL_CTX_set_min_proto_version(l.ctx, TLS1_3_VERSION))
		die("memory");
	SSL_CTX_set_verify(l.ctx, SSL_VERIFY_NONE, NULL);
	/* Tickets are counted and dropped. */
	SSL_CTX_set_app_data(l.ctx, &l);
	SSL_CTX_set_session_cache_mode(l.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(l.ctx, ticket);
	SSL_CTX_set_mode(l.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(l.ctx, 1); /* a record's head and body in one read */

	l.first_us = now_us();
	late = run(&l, signals);
	report(&l, late);
	fflush(stdout);
	/* Held connections and everything else are the kernel's to free. */
	_exit((o->idle ? l.held == o->idle : l.accepted == o->sessions * o->messages) ? 0 : 1);
}
