/* ISC licence, see LICENSE. */
#include "deliver/wire.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "smtp.h"

enum { PATIENCE_MS = 5000 };

/* In the place of lib/base/log.c: nobody wants to read a million lines. */
void
log_event(const struct log *log, const char *event, ...)
{
	(void)log;
	(void)event;
}

/*
 * What a server says, whatever it is, to the client that takes replies one after another: each is a reply with a code
 * and a text within their limits, or the session is closed with one of ours for everybody, and never a yes.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log log = { .stage = "fuzz" };
	struct wire w = { .log = &log, .to = "fuzz" };
	struct reply_foreign r = { 0 };
	int fd[2];
	size_t n;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	for (n = 0; n < size; ) {
		ssize_t w = write(fd[1], data + n, size - n);

		MUST(w > 0);
		n += (size_t)w;
	}
	shutdown(fd[1], SHUT_WR);
	wire_open(&w, fd[0], clock_ms() + PATIENCE_MS);
	while (wire_hear(&w, "fuzz", &r) == 0) {
		MUST(wire_is_open(&w) && r.code >= 200 && r.code <= 599 && r.code / 100 != 3 && r.code != 421);
		MUST(!r.text || strlen(r.text) <= REPLY_TEXT_MAX);
	}
	MUST(!wire_is_open(&w) && (r.code == 421 || r.code / 100 == 3 || r.code / 100 == 4));
	reply_foreign_free(&r);
	wire_close(&w, 0);
	close(fd[1]);
	return 0;
}
