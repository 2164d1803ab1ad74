/* ISC licence, see LICENSE. */
#include "deliver/client.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "deliver/starter.h"
#include "smtp.h"

/*
 * A hostile server, whose words are the input, and a whole session with it: the greeting, EHLO or LHLO, and two
 * messages to a few recipients. The first octet chooses the kind. Whatever the server says, every recipient has a reply
 * with a code that a verdict can carry, and no recipient has a yes that no server has said.
 */
enum { PATIENCE_MS = 5000, RCPTS_MOST = 4 };

static int server = -1; /* the connection, for the only starter_connect of a run */

void
log_event(const struct log *log, const char *event, ...)
{
	(void)log;
	MUST(*event);
}

void
log_error(const struct log *log, const char *event, const char *fmt, ...)
{
	(void)log;
	MUST(*event && *fmt);
}

int
starter_connect(const struct client_conf *conf, const struct nexthop *n, int64_t deadline_ms, char why[STARTER_WHY])
{
	int fd = server;

	(void)conf;
	(void)n;
	MUST(deadline_ms > 0 && fd >= 0);
	*why = '\0';
	server = -1;
	return fd;
}

int
starter_tls(const struct client_conf *conf, const struct nexthop *n, int seconds, int work, struct helper *h)
{
	(void)conf;
	(void)n;
	(void)seconds;
	(void)work;
	(void)h;
	abort();
}

int
starter_auth(const struct client_conf *conf, struct helper *h)
{
	(void)conf;
	(void)h;
	abort();
}

/* Two messages, or until the session is over. */
static void
deliver(struct client *c, size_t rcpts, bool partial, bool has_yes)
{
	static const char text[] = "Subject: x\r\n\r\n.a line\r\n";
	static const char *const to[RCPTS_MOST] = { "a@b.example", "c@d.example", "e@f.example", "g@h.example" };
	struct call call = { .log = { .stage = "fuzz" } };
	struct buf envelope = { 0 };
	const char *bad;
	size_t i;
	int result;

	MUST(delivery_envelope(&envelope, "alice@example.net", " BODY=8BITMIME", to, rcpts, " NOTIFY=NEVER", &bad) == 0);
	for (int n = 0; n < 2 && client_is_open(c); n++) {
		struct delivery d;

		call.in = os_memory_file("message");
		call.out = os_memory_file("answer");
		MUST(call.in >= 0 && call.out >= 0 && write(call.in, text, sizeof text - 1) == sizeof text - 1);
		lseek(call.in, 0, SEEK_SET);
		MUST(delivery_open(&d, &call, &envelope, 60, &result) == 0);
		d.partial = partial;
		d.accepted = "delivered";
		if (client_deliver(c, &d, true) == CLIENT_GONE)
			MUST(!client_is_open(c));
		for (i = 0; i < d.lines; i++) {
			int code = d.reply[i].code;

			MUST(code == 0 || (code >= 200 && code < 300) || (code >= 400 && code < 600));
			MUST(code == 0 || code >= 300 || has_yes);
			MUST(!d.reply[i].text || strlen(d.reply[i].text) <= REPLY_TEXT_MAX);
		}
		if (delivery_is_pending(&d, 0))
			delivery_reply_all(&d, REPLY_TROUBLE, NULL);
		delivery_close(&d, "fuzz");
		close(call.in);
		close(call.out);
	}
	buf_free(&envelope);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log log = { .stage = "fuzz" };
	struct client_conf conf = { .tls = CLIENT_CLEAR, .credentials = -1, .auth_param = CLIENT_AUTH_NULL };
	struct client c = { 0 };
	struct nexthop hop;
	struct reply_foreign refusal = { 0 };
	uint8_t kind = size > 0 ? *data : 0;
	bool has_yes = false;
	size_t n, i;
	int fd[2];

	for (i = 1; i < size; i++)
		has_yes |= data[i] == '2';
	conf.lmtp = kind & 1;
	conf.learns = kind & 2;
	conf.check = kind & 4;
	MUST(nexthop_parse(&hop, "127.0.0.1:24", NULL) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	for (n = 1; n < size; ) {
		ssize_t w = write(fd[1], data + n, size - n);

		MUST(w > 0);
		n += (size_t)w;
	}
	shutdown(fd[1], SHUT_WR);
	server = fd[0];
	if (client_open(&c, &conf, &hop, "client.example", clock_ms() + PATIENCE_MS, &log, &refusal) == 0)
		deliver(&c, 1 + kind / 8 % RCPTS_MOST, kind & 64, has_yes);
	else
		MUST(!client_is_open(&c) && refusal.code >= 300 && refusal.code < 600); /* as the server said it */
	reply_foreign_free(&refusal);
	client_quit(&c);
	close(fd[1]);
	return 0;
}
