/* ISC licence, see LICENSE. */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "base/user.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "examine.h"
#include "stage/instance.h"
#include "stage/sandbox.h"
#include "stage/standby.h"
#include "tlsd/conf.h"
#include "tlsd/openssl.h"
#include "tlsd/pump.h"
#include "tlsd/server.h"

enum {
	HANDSHAKE_S = 60,
	HANDSHAKE_MAX_S = 3600,
	EARLY_S = 120,
	EARLY_MAX_S = 7200,
	GREETING_MS = 120000, /* less than the 5 minutes that clients wait for an answer to EHLO */
	STALL_MS = 300000,
	LINGER_MS = 2000,
};

struct conf {
	struct tlsconf keys;
	const char *user;
	struct next next;
	struct pump_conf pump;
	struct guard guard;
};

/* What the usage says after the name. */
static const char usage_words[] =
    "[-i | -o] [-l address:port [-a n[:early]] [-e n] [-m n] [-n n] [-P n] [-R fd] [-x rules] [-y proxies]] "
    "[-G addresses] [-g penalties] [-p seconds] [-q ca | -r ca] [-s ciphers] [-t seconds] [-U user] [-v version] "
    "-c cert -k key [-O staple] prog [arg ...]";

static void
usage(void)
{
	fprintf(stderr, "usage: tlsd %s\n", usage_words);
	exit(CHAIN_MISUSE);
}

/* Send r, a 421, to a client that is still in the clear. With implicit TLS the client could not read it. */
static void
refuse(struct call *call, const struct conf *conf, enum reply reply)
{
	struct buf b = { 0 };
	ssize_t r;

	if (!conf->pump.implicit && reply_add(&b, reply) == 0) {
		r = send(call->out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0 && errno == ENOTSOCK)
			r = write(call->out, b.p, b.len);
		(void)r; /* there is nobody left to tell */
	}
	buf_free(&b);
}

/* A session, and the children that wait to become its next stages. */
struct session {
	struct call *call;
	const struct conf *conf;
	struct pump pump;
	struct standby clear;  /* where TLS is optional: the stage before TLS */
	struct standby secure; /* the stage under TLS */
};

/* Fork s, which becomes the next stage later. Returns false, logged, if that failed. */
static bool
fork_standby(struct session *session, struct standby *s)
{
	if (s->pid == 0 && standby_fork(s, session->call, &session->conf->next) < 0)
		log_error(&session->call->log, "failed", "next program %s:", session->conf->next.argv[0]);
	return s->pid > 0;
}

/* Called by the pump, which can no longer fork. */
static bool
prepare(void *owner)
{
	return ((const struct session *)owner)->secure.pid > 0;
}

/* Called by the pump. */
static int
start(void *owner, enum reply *r)
{
	struct session *session = owner;
	struct standby *s = pump_is_secure(&session->pump) ? &session->secure : &session->clear;
	struct facts f = { 0 };
	int fd = PUMP_REFUSED;

	(void)r;
	if (s->pid == 0) /* why was logged when the fork failed */
		log_error(&session->call->log, "failed", "the next stage cannot be started");
	else if (pump_facts(&session->pump, &f) < 0 || (fd = standby_go(s, &f)) < 0) {
		log_error(&session->call->log, "failed", "the next stage cannot be started:");
		fd = PUMP_REFUSED;
	}
	facts_free(&f);
	return fd;
}

static void
wait_for(struct pump *p)
{
	struct pollfd fds[PUMP_FDS];
	size_t n = pump_poll(p, fds), i;
	int64_t deadline_ms = pump_deadline_ms(p);

	if (poll(fds, n, deadline_ms ? clock_left(deadline_ms) : -1) > 0)
		for (i = 0; i < n; i++)
			if (fds[i].revents)
				pump_event(p, fds[i].fd, fds[i].revents);
}

static void
run(struct pump *p)
{
	enum pump_need need;

	while ((need = pump_step(p)) != PUMP_DONE)
		if (need == PUMP_WAIT)
			wait_for(p);
	pump_close(p);
}

/* Make the server context. Where TLS is optional, go on without one. Returns a chain_exit code. */
static int
read_keys(struct call *call, struct conf *conf)
{
	struct buf why = { 0 };
	int code = CHAIN_DONE;

	openssl_start(conf->keys.ca);
	conf->pump.tls = tlsconf_server(&conf->keys, &conf->pump.authority, &why);
	if (!conf->pump.tls) {
		code = conf->pump.optional ? CHAIN_DONE : errno == ENOMEM ? CHAIN_LATER : CHAIN_MISUSE;
		log_error(&call->log, "misuse", "%s%s", why.p ? why.p : "", conf->pump.optional ? ": no STARTTLS" : "");
	}
	buf_free(&why);
	return code;
}

/* The pump needs nothing but its open descriptors. Returns a chain_exit code; what is wrong was logged. */
static int
shut_in(const struct call *call)
{
	struct sandbox s = { .starts = false };
	int code = sandbox_prepare(&s, &call->log);

	if (code == CHAIN_DONE && (os_undumpable() < 0 || sandbox_enter(&s, NULL) < 0)) {
		log_error(&call->log, "failed", "sandbox:");
		code = CHAIN_LATER;
	}
	sandbox_free(&s);
	return code;
}

/*
 * Open the table of penalties, before privileges are dropped. Returns true if the client was refused, with *code set.
 * *counted: the connection is to be counted when it is over.
 */
static bool
is_refused(struct call *call, struct conf *conf, struct ipaddr *peer, bool *counted, int *code)
{
	const char *ip = facts_get(&call->facts, "TCPREMOTEIP"), *why = NULL;

	*code = guard_open(&conf->guard, &call->log);
	*counted = *code == CHAIN_DONE && ip && ipaddr_parse_zoned(peer, ip) == 0 && guard_applies(&conf->guard, peer) &&
	    !facts_get(&call->facts, "RELAYCLIENT");
	if (*counted)
		why = guard_refuses(&conf->guard, peer);
	if (why)
		log_event(&call->log, "refused", "reason", why, "peer", ip, (char *)NULL);
	if (why || *code != CHAIN_DONE)
		refuse(call, conf, why ? REPLY_GUESSED : REPLY_TROUBLE);
	return why || *code != CHAIN_DONE;
}

/*
 * This process stays between the client and the next stage, so that the super-server waits for the last octet. Security
 * depends on the order: fork the standbys, read the key, drop privileges, give up what is not needed, and only then
 * talk to the client.
 */
static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	struct session s = { .call = call, .conf = conf, .clear = { .fd = -1 }, .secure = { .fd = -1 } };
	const int on = 1;
	char host[256];
	struct ipaddr peer;
	bool counted;
	int code;

	if (is_refused(call, conf, &peer, &counted, &code))
		return code;
	setsockopt(call->out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails harmlessly on anything but TCP */
	setsockopt(call->out, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	conf->pump.host = offer_host(&call->facts, host, sizeof host);
	conf->pump.lmtp = facts_is_lmtp(&call->facts);
	conf->pump.prepare = prepare;
	conf->pump.start = start;
	if (conf->pump.optional)
		fork_standby(&s, &s.clear);
	fork_standby(&s, &s.secure);
	code = read_keys(call, conf);
	if (code != CHAIN_DONE) {
		/* logged */
	} else if (conf->user && user_become(conf->user) < 0) {
		code = errno == ENOENT ? CHAIN_MISUSE : CHAIN_LATER;
		log_error(&call->log, "failed", "user %s:", conf->user);
	} else if ((code = shut_in(call)) != CHAIN_DONE) {
		/* logged */
	} else if (pump_open(&s.pump, &conf->pump, &s, call->in, call->out, &call->log,
	               facts_get(&call->facts, "TCPREMOTEIP")) < 0) {
		code = CHAIN_LATER;
		log_error(&call->log, "failed", "start:");
	} else {
		run(&s.pump);
		if (counted)
			guard_count(&conf->guard, &peer, pump_fate(&s.pump));
	}
	if (code != CHAIN_DONE)
		refuse(call, conf, REPLY_TROUBLE);
	tls_free(conf->pump.tls);
	authority_free(&conf->pump.authority);
	close(call->in); /* the client need not wait until the next stages have ended */
	close(call->out);
	standby_wait(&s.clear);
	standby_wait(&s.secure);
	return code;
}

/* -l: serve many connections. */
static int
listen_and_serve(struct tlsserver_conf *server)
{
	struct facts f = { 0 };
	char host[256];
	int code = CHAIN_LATER;

	signal(SIGPIPE, SIG_IGN);
	if (os_fill_standard() == 0 && facts_from_environ(&f) == 0) {
		server->pump.host = offer_host(&f, host, sizeof host);
		server->pump.lmtp = facts_is_lmtp(&f);
		code = tlsserver_run(server);
	}
	facts_free(&f);
	return code;
}

static int
number(int letter, const char *s, int least, int most)
{
	long long n;

	if (number_parse(s, least, most, &n) < 0)
		errx(CHAIN_MISUSE, "-%c: %s: not a number from %d to %d", letter, s, least, most);
	return (int)n;
}

/* -a n[:early] */
static void
take_address(struct admission_conf *limits, char *s)
{
	char *colon = strchr(s, ':');

	if (colon) {
		*colon = '\0';
		limits->host = (unsigned)number('a', colon + 1, 1, ADMISSION_MAX);
	}
	limits->address = (unsigned)number('a', s, 1, ADMISSION_MAX);
}

/* -c begins a pair; -k and -O belong to the last pair. */
static void
add_key(struct tlsconf *keys, int letter, const char *path)
{
	struct tlsconf_pair *pair = keys->n ? &keys->pair[keys->n - 1] : NULL;

	if (letter == 'c' && pair && !pair->key)
		usage();
	if (letter == 'c' && keys->n == TLSCONF_PAIRS)
		errx(CHAIN_MISUSE, "-c: %s: more than %d", path, TLSCONF_PAIRS);
	if (letter == 'c')
		keys->pair[keys->n++].cert = path;
	else if (!pair || (letter == 'k' ? pair->key : pair->staple))
		usage();
	else if (letter == 'k')
		pair->key = path;
	else
		pair->staple = path;
}

int
main(int argc, char *argv[])
{
	static const struct stage stage = {
		.name = "tlsd", .kind = STAGE_SESSION, .owner = FACTS_TLSD, .needs = STAGE_PROGRAMS, .serve = serve
	};
	struct conf conf = { .pump = { .command_ms = CHAIN_COMMAND_WAIT_S * 1000, .handshake_ms = HANDSHAKE_S * 1000,
		                 .greeting_ms = GREETING_MS, .stall_ms = STALL_MS, .linger_ms = LINGER_MS,
		                 .early_ms = EARLY_S * 1000 } };
	struct tlsserver_conf server = { .limits = { .address = ADMISSION_ADDRESS, .early = ADMISSION_EARLY,
		.total = ADMISSION_TOTAL },
		.workers = (int)sysconf(_SC_NPROCESSORS_ONLN), .notify_fd = -1 };
	struct instance instance = { .stage = &stage, .kind = STAGE_SESSION, .conf = &conf };
	bool alone = false, is_asked;
	struct finding asked;
	int c;

	if (program_answers("tlsd", usage_words, argc, argv))
		return CHAIN_DONE;
	is_asked = finding_asked(&asked, "tlsd", &argc, &argv);
	while ((c = getopt(argc, argv, "+a:c:e:G:g:ik:l:m:n:O:oP:p:q:R:r:s:t:U:v:x:y:")) != -1) {
		alone |= strchr("aelmnPRxy", c) != NULL; /* only with -l */
		switch (c) {
		case 'a':
			take_address(&server.limits, optarg);
			break;
		case 'e':
			server.limits.early = (unsigned)number('e', optarg, 1, ADMISSION_MAX);
			break;
		case 'c':
		case 'k':
		case 'O':
			add_key(&conf.keys, c, optarg);
			break;
		case 'G':
			if (proxyhdr_trust_add(&conf.guard.spared, optarg) < 0)
				errx(CHAIN_MISUSE, "-G: %s: not a list of addresses", optarg);
			break;
		case 'g':
			conf.guard.directory = optarg;
			break;
		case 'i':
			conf.pump.implicit = true;
			break;
		case 'l':
			server.address = optarg;
			break;
		case 'm':
			server.limits.total = (unsigned)number('m', optarg, 1, ADMISSION_MAX);
			break;
		case 'n':
			server.limits.net = (unsigned)number('n', optarg, 1, ADMISSION_MAX);
			break;
		case 'o':
			conf.pump.optional = true;
			break;
		case 'P':
			server.workers = number('P', optarg, 1, TLSSERVER_WORKERS_MAX / 4);
			break;
		case 'p':
			conf.pump.early_ms = number('p', optarg, 1, EARLY_MAX_S) * 1000;
			break;
		case 'q':
		case 'r':
			if (conf.keys.ca)
				usage();
			conf.keys.ca = optarg;
			conf.pump.certificate = c == 'r';
			conf.keys.lenient = c == 'q';
			break;
		case 'R':
			server.notify_fd = number('R', optarg, 0, 1000000);
			break;
		case 's':
			conf.keys.ciphers = optarg;
			break;
		case 't':
			conf.pump.handshake_ms = number('t', optarg, 1, HANDSHAKE_MAX_S) * 1000;
			break;
		case 'U':
			conf.user = optarg;
			break;
		case 'v':
			if (strcmp(optarg, "1.2") != 0 && strcmp(optarg, "1.3") != 0)
				errx(CHAIN_MISUSE, "-v: %s: neither 1.2 nor 1.3", optarg);
			conf.keys.only_13 = optarg[2] == '3';
			break;
		case 'x':
			server.rules = optarg;
			break;
		case 'y':
			if (proxyhdr_trust_add(&server.proxies, optarg) < 0)
				errx(CHAIN_MISUSE, "-y: %s: not a list of addresses", optarg);
			break;
		default:
			usage();
		}
	}
	if (conf.pump.optional && (conf.pump.implicit || conf.pump.certificate))
		usage(); /* each of these requires TLS */
	if (conf.keys.n == 0 || !conf.keys.pair[conf.keys.n - 1].key || optind == argc || (alone && !server.address))
		usage();
	conf.next = next_parse(argv + optind);
	server.keys = conf.keys;
	server.user = conf.user;
	server.next = conf.next;
	server.pump = conf.pump;
	server.guard = conf.guard;
	if (is_asked) {
		examine(&server, &asked);
		if (conf.next.how == NEXT_EXEC)
			finding_number("next", optind);
		return CHAIN_DONE;
	}
	return server.address ? listen_and_serve(&server) : instance_run(&instance);
}
