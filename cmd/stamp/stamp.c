/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "mail/header.h"
#include "mail/received.h"
#include "msa/buf.h"
#include "msa/msgfile.h"
#include "stage/instance.h"

struct conf {
	int options; /* RECEIVED_* */
};

/* Make a message of the field and the old message, octet for octet. Returns its descriptor, or -1 with errno set. */
static int
compose(const struct call *call, int in, const struct envelope *e, int options, const char *eol)
{
	struct msgfile m = { 0 };
	struct buf field = { 0 };
	int out = -1;
	off_t size = file_size(in);

	if (size >= 0 && received_add(&field, &call->facts, e, time(NULL), options, eol) == 0 &&
	    msgfile_add(&m, field.p, field.len) == 0 && msgfile_add_file(&m, in, 0, size) == 0)
		out = msgfile_finish(&m);
	buf_free(&field);
	msgfile_free(&m);
	return out;
}

/* Refuse the message for good. Returns the exit code. */
static int
refuse(struct call *call, enum reply r, const char *why)
{
	log_event(&call->log, "done", "verdict", "554", "why", why, (char *)NULL);
	return call_verdict(call, r, NULL);
}

static int
stamp(struct call *call, int in, const struct envelope *e, int options)
{
	int64_t start = clock_ms();
	struct received_top top;
	char ms[24];
	int fd, r;

	switch (received_look(&top, in)) {
	case HEADER_LONG:
		return refuse(call, REPLY_BAD_MESSAGE, "header is too long");
	case HEADER_ERROR:
		return call_failed(call, "message");
	case HEADER_OK:
		break;
	}
	if (top.joins)
		return refuse(call, REPLY_BAD_MESSAGE, "message begins with white space");
	if (top.count >= RECEIVED_LOOP)
		return refuse(call, REPLY_LOOP, "mail loop");
	fd = compose(call, in, e, options, e || top.crlf ? "\r\n" : "\n");
	if (fd < 0)
		return call_failed(call, "message");
	if (call->kind == CALL_MESSAGE) {
		snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start));
		log_event(&call->log, "done", "with", received_keyword(&call->facts, e), "ms", ms, (char *)NULL);
	}
	r = call_next_with(call, fd, -1);
	close(fd);
	return r;
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	const struct envelope *e;
	int in;

	if (call->kind == CALL_MESSAGE) {
		e = call_envelope(call);
		return e ? stamp(call, call->in, e, conf->options) : call_failed(call, NULL);
	}
	in = call_message(call);
	if (in < 0)
		return call_failed(call, "input");
	switch (header_is_there(in)) {
	case -1:
		return call_failed(call, "input");
	case 0: /* a trace field on top would make it look like a message */
		return refuse(call, REPLY_BAD_MESSAGE, "message has no header");
	default:
		return stamp(call, in, NULL, conf->options);
	}
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	(void)value;
	(void)i;
	((struct conf *)arg)->options |= letter == 'p' ? RECEIVED_PRIVATE : RECEIVED_SUBJECT;
	return 0;
}

const struct stage stamp_stage = {
	.name = "stamp",
	.kind = STAGE_MESSAGE,
	.next = STAGE_MAY_HAND_ON,
	.needs = STAGE_TEMPORARY,
	.options = "ps",
	.usage = "[-ps] " STAGE_USAGE " [prog [arg ...]]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.serve = serve,
};
