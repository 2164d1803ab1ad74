/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "chain/limits.h"
#include "smtp/reply.h"
#include "smtp/watch.h"
#include "stage/instance.h"
#include "stage/relay.h"

enum {
	RECORD_MAX = 268435456, /* octets of a recording */
	FLUSH_AT = 65536,       /* octets that are written at once */
	GRACE_S = 600,          /* beyond the time of a session, which the next program ends itself */
};

struct conf {
	const char *place; /* a directory, or the file of one session */
	bool keeps;
};

/* A session that is recorded. */
struct session {
	struct call *call;
	pid_t pid;
	int fd;          /* to the next program */
	int file;        /* -1: nothing is recorded any more */
	long long written;
	int64_t start_ms, end_ms;
	struct fdpair client, server;
	struct relay_flow up, down;
	struct watch watch;
};

/* Stop recording. The session goes on. errno is about that. */
static void
give_up(struct session *s, const char *what)
{
	log_error(&s->call->log, "failed", "recording: %s:", what);
	close(s->file);
	s->file = -1;
}

/* Write what the watcher has, if it is much or everything must be written. */
static void
flush(struct session *s, bool all)
{
	static const char rest[] = "# The rest is missing: the recording is too large.\n";
	struct buf *b = &s->watch.out;

	if (s->file >= 0 && s->watch.failed) {
		errno = ENOMEM;
		give_up(s, "a line");
	}
	if (s->file >= 0 && b->len > 0 && (all || b->len >= FLUSH_AT)) {
		bool full = s->written + (long long)b->len > RECORD_MAX;

		if (file_write(s->file, full ? rest : b->p, full ? sizeof rest - 1 : b->len) < 0)
			give_up(s, "write");
		else if (full) {
			errno = EFBIG;
			give_up(s, "write");
		}
		s->written += (long long)b->len;
		buf_clear(b);
	}
	if (s->file < 0)
		buf_clear(b);
}

static void
note_client(void *arg, const char *p, size_t n)
{
	struct session *s = arg;

	s->watch.ms = clock_ms() - s->start_ms;
	watch_client(&s->watch, p, n);
	flush(s, false);
}

static void
note_server(void *arg, const char *p, size_t n)
{
	struct session *s = arg;

	s->watch.ms = clock_ms() - s->start_ms;
	watch_server(&s->watch, p, n);
	flush(s, false);
}

/* Make the file, which must not be there: a recording is never written over. Returns the descriptor, or -1. */
static int
make_file(const struct call *call, const char *place)
{
	const char *id = facts_get(&call->facts, "MSA_SESSION");
	char path[1024];
	struct stat st;

	snprintf(path, sizeof path, "%s", place);
	if (stat(place, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (!id || strchr(id, '/') || *id == '.' || snprintf(path, sizeof path, "%s/%s", place, id) >= (int)sizeof path) {
			errno = EINVAL;
			return -1;
		}
	}
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The recording begins with comments: what it is, when, and in which state the session is. */
static void
begin(struct session *s)
{
	static const char *const shown[] = { "MSA_SESSION", "TCPREMOTEIP", "MSA_VERB", "SMTPAUTHUSER" };
	const char *verb = facts_get(&s->call->facts, "MSA_VERB");
	char date[CLOCK_DATE_MAX];
	size_t i;
	int r;

	clock_date(date, sizeof date, time(NULL));
	r = buf_printf(&s->watch.out, "%s\n# %s\n", recording_first, date);
	for (i = 0; i < sizeof shown / sizeof *shown && r == 0; i++) {
		const char *value = facts_get(&s->call->facts, shown[i]);

		if (value && value[strcspn(value, "\r\n")] == '\0')
			r = buf_printf(&s->watch.out, "# %s=%s\n", shown[i], value);
	}
	s->watch.failed |= r < 0;
	s->watch.is_lmtp = verb && strcmp(verb, "LHLO") == 0;
}

/* Move octets both ways until the next program's output ends, the client is gone, or the session lasts too long. */
static void
pump(struct session *s)
{
	bool shut = false;

	while (!relay_is_over(&s->down)) {
		bool moved = relay_move(&s->up), said = relay_move(&s->down);

		if (relay_is_over(&s->up) && !shut) {
			shutdown(s->fd, SHUT_WR);
			shut = true;
		}
		if (moved || said)
			continue;
		flush(s, true); /* nobody says anything: a person may look */
		if (!relay_wait(&s->up, &s->down, s->end_ms)) {
			log_event(&s->call->log, "timeout", (char *)NULL);
			return;
		}
	}
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct session *s = calloc(1, sizeof *s);
	char octets[24];

	if (!s)
		return call_failed(call, "session");
	s->call = call;
	s->watch.keeps = conf->keeps;
	s->start_ms = clock_ms();
	s->end_ms = s->start_ms + ((int64_t)CHAIN_SESSION_S + GRACE_S) * 1000;
	s->file = make_file(call, conf->place);
	if (s->file < 0) { /* the mail matters more than the recording */
		log_error(&call->log, "failed", "recording: %s:", conf->place);
		free(s);
		return call_next(call);
	}
	s->fd = relay_start(call, call->next->argv, &s->pid);
	if (s->fd < 0) {
		log_error(&call->log, "failed", "next program:");
		close(s->file);
		free(s);
		return call_refuse(call, REPLY_TROUBLE);
	}
	begin(s);
	fdpair_open(&s->client, call->in, call->out);
	fdpair_open(&s->server, s->fd, s->fd);
	s->up = (struct relay_flow){ .from = &s->client, .to = &s->server, .note = note_client, .arg = s };
	s->down = (struct relay_flow){ .from = &s->server, .to = &s->client, .note = note_server, .arg = s };
	pump(s);
	watch_end(&s->watch);
	flush(s, true);
	snprintf(octets, sizeof octets, "%lld", s->written);
	if (s->file >= 0) {
		close(s->file);
		log_event(&call->log, "done", "octets", octets, (char *)NULL);
	}
	shutdown(call->out, SHUT_WR); /* the client need not wait until the next program has ended */
	if (call->may_exec)
		close(call->out);
	close(s->fd);
	relay_finish(s->pid);
	buf_free(&s->watch.out);
	free(s);
	return CHAIN_DONE;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	(void)letter;
	(void)value;
	(void)i;
	((struct conf *)arg)->keeps = true;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	((struct conf *)arg)->place = i->words[0];
	return 0;
}

const struct stage record_stage = {
	.name = "record",
	.kind = STAGE_SESSION,
	.next = STAGE_HANDS_ON,
	.needs = STAGE_FILES | STAGE_PROGRAMS,
	.options = "c",
	.usage = "[-c] " STAGE_USAGE " place prog [arg ...]",
	.own_words = 1,
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.serve = serve,
};
