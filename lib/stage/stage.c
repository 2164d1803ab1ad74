/* ISC licence, see LICENSE. */
#include "stage/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/os.h"
#include "chain/limits.h"
#include "net/listen.h"
#include "stage/peer.h"
#include "stage/pool.h"

enum {
	NAME_ROOM = 256,  /* of a user */
	MARGIN_MS = 2000, /* to give a verdict in */
};

/* The ids of user, "name" or "name:group". name has room for NAME_ROOM. 0, or -1 with errno. */
static int
find_user(const char *user, char *name, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(user, ':');
	struct passwd *pw;
	struct group *gr = NULL;

	snprintf(name, NAME_ROOM, "%.*s", colon ? (int)(colon - user) : (int)strlen(user), user);
	errno = 0;
	pw = getpwnam(name);
	if (pw && colon)
		gr = getgrnam(colon + 1);
	if (!pw || (colon && !gr)) {
		if (!errno)
			errno = ENOENT;
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = gr ? gr->gr_gid : pw->pw_gid;
	return 0;
}

int
stage_user(const char *user)
{
	char name[NAME_ROOM];
	uid_t uid;
	gid_t gid;

	return find_user(user, name, &uid, &gid);
}

int
stage_drop(const char *user)
{
	char name[NAME_ROOM];
	uid_t uid;
	gid_t gid;

	if (find_user(user, name, &uid, &gid) < 0 || initgroups(name, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -1;
	if (uid != 0 && setuid(0) == 0) { /* the drop did not last */
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
stage_answer(const struct call *call, const struct buf *text)
{
	return call->verdict ? buf_add(call->verdict, text->p, text->len) : verdict_write(call->out, text);
}

int
stage_pass(const struct call *call, const struct verdict *v)
{
	struct buf b = { 0 };
	int r = verdict_text(&b, v) < 0 ? -1 : stage_answer(call, &b);

	buf_free(&b);
	return r;
}

int
stage_verdict(struct call *call, enum reply r, const char *detail)
{
	struct buf b = { 0 };
	int failed = reply_addf(&b, r, "%s", detail ? detail : reply_text(r)) < 0 || stage_answer(call, &b) < 0;

	buf_free(&b);
	if (failed)
		return CHAIN_LATER;
	return reply_code(r) < 300 ? CHAIN_DONE : reply_code(r) < 500 ? CHAIN_LATER : CHAIN_REFUSED;
}

int
stage_fail(struct call *call, enum reply session_reply)
{
	struct buf b = { 0 };
	ssize_t r;

	if (facts_get(&call->facts, "MSA_MESSAGE"))
		return stage_verdict(call, REPLY_LOCAL_ERROR, NULL);
	if (call->filter)
		return CHAIN_LATER;
	if (reply_add(&b, session_reply) == 0) {
		r = send(call->out, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0 && errno == ENOTSOCK)
			r = write(call->out, b.p, b.len);
		(void)r; /* a peer that does not listen is gone anyway */
	}
	buf_free(&b);
	return CHAIN_LATER;
}

/* A regular file that the starter gave us; what main opened (a table that took the free number 3) is close-on-exec. */
static bool
is_given_file(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC) && file_size(fd) >= 0;
}

int
stage_misuse(const char *usage)
{
	struct buf b = { 0 };

	fprintf(stderr, "%s\n", usage);
	if (!getenv("MSA_MESSAGE"))
		return CHAIN_MISUSE;
	if (reply_add(&b, REPLY_LOCAL_ERROR) == 0)
		verdict_write(CHAIN_FD_OUT, &b);
	buf_free(&b);
	return CHAIN_LATER;
}

int
stage_misuse_of(const char *stage, const char *what, const char *reason)
{
	char line[1024];

	snprintf(line, sizeof line, "%s: %s: %s", stage, what, reason);
	return stage_misuse(line);
}

/* A message call's descriptors are what chain(7) says. */
static int
check_message(struct call *call)
{
	if (!is_given_file(CHAIN_FD_IN)) {
		log_error(&call->log, "misuse", "fd 0, the message, is no regular file");
		return -1;
	}
	if (!is_given_file(CHAIN_FD_ENVELOPE)) {
		log_error(&call->log, "misuse", "fd 3, the envelope, is no regular file");
		return -1;
	}
	call->envelope = CHAIN_FD_ENVELOPE;
	return 0;
}

int
stage_learn(const struct stage *stage, struct call *call)
{
	char id[ID_MAX];

	if (stage->owner != FACTS_NOBODY)
		facts_claim(&call->facts, stage->owner);
	if (stage->kind == STAGE_SESSION) {
		if (peer_learn(&call->facts, call->in) < 0)
			return -1;
		if (!facts_get(&call->facts, "MSA_SESSION")) {
			id_make(id);
			if (facts_set(&call->facts, "MSA_SESSION", id) < 0)
				return -1;
		}
	}
	call->log.session = facts_get(&call->facts, "MSA_SESSION");
	call->log.message = facts_get(&call->facts, "MSA_MESSAGE");
	return 0;
}

/* The exec'd call: fds 0 to 3 and the environment. */
static int
run_once(const struct stage *stage, void *conf, const char *user)
{
	struct call call = { .in = CHAIN_FD_IN, .out = CHAIN_FD_OUT, .envelope = -1, .stop = -1 };
	int null, r;

	log_open(&call.log, stage->name, stage->kind == STAGE_SESSION ? CHAIN_FD_IN : -1);
	if (call.log.syslog && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		dup2(null, CHAIN_FD_LOG); /* so no later stage or script writes to the peer: log_open knows this sign */
		close(null);
	}
	call.filter = stage->kind == STAGE_MESSAGE; /* MSA_MESSAGE says that it is none */
	if (facts_from_environ(&call.facts) < 0 || stage_learn(stage, &call) < 0) {
		log_error(&call.log, "failed", "environment:");
		r = stage_fail(&call, REPLY_TROUBLE);
	} else if (stage->kind == STAGE_MESSAGE && call.log.message && check_message(&call) < 0)
		r = stage_fail(&call, REPLY_TROUBLE);
	else if (user && stage_drop(user) < 0) {
		bool misuse = errno == ENOENT && !call.log.message; /* a mistake of ours never refuses a message for good */

		log_error(&call.log, "failed", "user %s:", user);
		r = stage_fail(&call, REPLY_TROUBLE);
		if (misuse)
			r = CHAIN_MISUSE;
	} else {
		os_close_inherited(call.envelope >= 0 ? CHAIN_FD_ENVELOPE + 1 : CHAIN_FD_ENVELOPE);
		r = stage->serve(&call, conf);
	}
	stage_end(&call);
	return r;
}

static int
run_pool(const struct stage *stage, void *conf, const struct stage_options *o)
{
	struct pool_conf pool = {
		.path = strcmp(o->path, "0") == 0 ? NULL : o->path,
		.fd = -1,
		.min = o->min,
		.max = o->max,
		.calls = o->calls,
		.user = o->user,
		.allow = { o->allow, o->nallow },
		.notify_fd = o->notify_fd,
	};


	if (!pool.path)
		pool.fd = listener_given();
	if (o->user && stage_user(o->user) < 0) { /* or every worker would fail */
		fprintf(stderr, "%s: user %s: %s\n", stage->name, o->user, strerror(errno));
		return CHAIN_MISUSE;
	}
	return pool_run(stage, conf, &pool);
}

int
stage_run(const struct stage *stage, void *conf, const struct stage_options *options)
{
	os_signals_default();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file over the operator's limit is EFBIG and an answer */
	if (os_fill_standard() < 0)
		return CHAIN_LATER;
	if (options && options->path && stage->kind == STAGE_MESSAGE && getenv("MSA_MESSAGE"))
		return stage_misuse_of(stage->name, "-l in a chain", "start it before, and \"call path\" here");
	if (options && options->path)
		return run_pool(stage, conf, options);
	return run_once(stage, conf, options ? options->user : NULL);
}

void
stage_let_go(struct call *call)
{
	int *fd[] = { &call->in, &call->out, &call->envelope };
	size_t i;

	if (call->out == call->in)
		call->out = -1;
	for (i = 0; i < sizeof fd / sizeof *fd; i++) {
		if (*fd[i] >= 0)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

void
stage_end(struct call *call)
{
	if (call->resident)
		stage_let_go(call);
	facts_free(&call->facts);
}

int64_t
stage_deadline(const struct call *call)
{
	long long end = facts_number(&call->facts, "MSA_DEADLINE", -1), left = end - time(NULL);

	if (end < 0 || left > CHAIN_SESSION_S)
		left = CHAIN_ANSWER_S;
	return clock_ms() + (left > 0 ? left : 0) * 1000;
}

int64_t
stage_own_deadline(const struct call *call)
{
	int64_t end = stage_deadline(call);
	int left = clock_left(end);

	return end - (left / 10 < MARGIN_MS ? left / 10 : MARGIN_MS);
}

int
stage_set_deadline(struct call *call, int64_t deadline_ms)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)time(NULL) + clock_left(deadline_ms) / 1000);
	return facts_set(&call->facts, "MSA_DEADLINE", text);
}
