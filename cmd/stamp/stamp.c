/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "mail/header.h"
#include "mail/msgfile.h"
#include "mail/received.h"
#include "stage/stages.h"

static const char usage[] = "usage: stamp [-ps] " STAGE_USAGE " [prog [arg ...]]";

struct conf {
	int options; /* RECEIVED_* */
	char *const *next;
};

/* What errno of a failed write or read becomes. */
static int
failed(struct call *call, const char *what)
{
	enum reply r = errno == ENOMEM ? REPLY_NO_MEMORY : errno == ENOSPC ? REPLY_STORAGE : REPLY_LOCAL_ERROR;

	log_error(&call->log, "failed", "%s:", what);
	return call->log.message ? stage_verdict(call, r, NULL) : CHAIN_LATER;
}

/* As a filter: all of fd, from where it stands, as a file that can be looked at twice. */
static int
collect(int fd)
{
	struct msgfile m = { 0 };
	char chunk[16384];
	ssize_t r;

	while ((r = read(fd, chunk, sizeof chunk)) != 0) {
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 || msgfile_add(&m, chunk, (size_t)r) < 0) {
			msgfile_free(&m);
			return -1;
		}
	}
	return msgfile_finish(&m);
}

/* Refuse for good. */
static int
refuse(struct call *call, enum reply reply, const char *why)
{
	log_event(&call->log, "done", "verdict", "554", "why", why, (char *)NULL);
	return call->log.message ? stage_verdict(call, reply, NULL) : CHAIN_REFUSED;
}

/* A new message: the field, then the old message byte for byte. The descriptor, or -1 with errno. */
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

/* Hand on what compose made: to the next program, or as a filter to fd 1. */
static int
hand_on(struct call *call, int fd, char *const next[])
{
	int in = call->in, r;

	if (!call->log.message && !*next)
		return os_copy(call->out, fd, 0, file_size(fd)) < 0 ? failed(call, "output") : CHAIN_DONE;
	call->in = fd;
	r = stage_next(call, next);
	call->in = in;
	return r;
}

static int
stamp(struct call *call, int in, const struct envelope *e, const struct conf *conf)
{
	int64_t start = clock_ms();
	struct received_top top;
	const char *eol;
	char ms[24];
	int fd, r;

	switch (received_look(&top, in)) {
	case HEADER_LONG:
		return refuse(call, REPLY_BAD_MESSAGE, "header is too long");
	case HEADER_ERROR:
		return failed(call, "message");
	case HEADER_OK:
		break;
	}
	if (top.joins)
		return refuse(call, REPLY_BAD_MESSAGE, "message begins with white space");
	if (top.count >= RECEIVED_LOOP)
		return refuse(call, REPLY_LOOP, "mail loop");
	eol = call->log.message || top.crlf ? "\r\n" : "\n";
	fd = compose(call, in, e, conf->options, eol);
	if (fd < 0)
		return failed(call, "message");
	if (call->log.message) {
		snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - start));
		log_event(&call->log, "done", "with", received_keyword(&call->facts, e), "ms", ms, (char *)NULL);
	}
	r = hand_on(call, fd, conf->next);
	close(fd);
	return r;
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct envelope e = { 0 };
	const char *why;
	int in, r;

	if (call->log.message) {
		if (envelope_read(&e, call->envelope, &why) < 0) {
			log_error(&call->log, "failed", "%s", why);
			return stage_verdict(call, REPLY_LOCAL_ERROR, NULL);
		}
		r = stamp(call, call->in, &e, conf);
		envelope_free(&e);
		return r;
	}
	in = collect(call->in);
	if (in < 0)
		return failed(call, "input");
	r = stamp(call, in, NULL, conf);
	close(in);
	return r;
}

int
stamp_ready(struct ready *r, int argc, char *argv[])
{
	struct conf *conf = ready_conf(r, sizeof *conf);
	int c;

	if (!conf)
		return CHAIN_LATER;
	r->stage = (struct stage){ .name = "stamp", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve };
	while ((c = getopt(argc, argv, "+ps" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'p':
			conf->options |= RECEIVED_PRIVATE;
			break;
		case 's':
			conf->options |= RECEIVED_SUBJECT;
			break;
		default:
			if (c == '?' || stage_option(&r->options, "stamp", c, optarg) < 0)
				return stage_misuse(usage);
		}
	r->next = conf->next = argv + optind;
	return 0;
}
