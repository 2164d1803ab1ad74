/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_STAGE_H
#define MSA_STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/log.h"
#include "chain/facts.h"
#include "smtp/reply.h"
#include "stage/child.h"
#include "stage/next.h"
#include "stage/options.h"

/*
 * A stage, chain(7): one program in a chain, and a call, the one session or message that it has in hand. A call's state
 * is this struct and nothing else; it starts empty each time. What every stage needs besides: options.h, next.h to give
 * the call on, child.h to have a message delivered.
 */
struct inproc;

struct call {
	int in;       /* session: from the peer; message: the message, a regular file */
	int out;      /* session: to the peer (may be in); message: the verdict goes here, -1 where verdict is set */
	int envelope; /* message: the envelope, a regular file; -1 where there is none */
	int stop;     /* resident: readable once the stage is to end; -1 where nobody tells */
	bool resident; /* the process serves further calls after this one */
	bool filter;  /* a message stage: outside of any chain (no MSA_MESSAGE) fd 1 is for its output alone */
	struct inproc *joined; /* the stages that share the process, joined.h; NULL: none do */
	struct buf *verdict;   /* message, and who waits for the verdict shares the process: it goes here */
	struct facts facts;
	struct log log;
};

enum stage_kind { STAGE_SESSION, STAGE_MESSAGE };

struct stage {
	const char *name;
	enum stage_kind kind;
	enum facts_owner owner; /* whose variables it drops first: its own and later stages'; FACTS_NOBODY: none */
	/*
	 * Serve one call: speak, or write the verdict, or hand over with stage_next as the last thing. The result is a
	 * chain_exit code, used where the stage was exec'd.
	 */
	int (*serve)(struct call *call, void *conf);
	/*
	 * Open anew what main opened (tables, keys): SIGHUP. NULL: nothing. 0, or, logged, -1: what there was is kept, or
	 * 1: some of it is.
	 */
	int (*reload)(void *conf, const struct log *log);
	/*
	 * In a worker that has had no call for idle_s seconds (0: POOL_IDLE_S), and before it ends: let go of what was kept
	 * for the next call (a connection). What is kept belongs to the worker and tells nothing of any call. NULL: nothing
	 * is.
	 */
	void (*idle)(void *conf);
	int idle_s;
};

/*
 * Exec'd: serve the one call that fds 0 to 3 and the environment are. Returns the exit code. In a message stage
 * (MSA_MESSAGE is set) it first checks fd 0 and fd 3. Resident (-l): be the pool of workers until SIGTERM. options
 * NULL: none. Descriptors that main opened stay open if they are close-on-exec, and must be; all others are closed.
 */
int stage_run(const struct stage *stage, void *conf, const struct stage_options *options);

/* There is such a user, "name" or "name:group". 0, or -1 with errno (ENOENT: no such user). */
int stage_user(const char *user);

/* Take the uid and all gids of user ("name" or "name:group"). 0, or -1 with errno (ENOENT: no such user). */
int stage_drop(const char *user);

/*
 * What a stage does with the facts it was given, before its first read: drop what it or a later one sets; for a session
 * add the peer and the id where they are missing. The log gets the ids. 0, or -1 with errno ENOMEM.
 */
int stage_learn(const struct stage *stage, struct call *call);

/*
 * This call goes nowhere: tell the peer of a session r, or who started a message stage 451; a filter tells nobody. The
 * result is the exit code.
 */
int stage_fail(struct call *call, enum reply r);

/* Close a resident's call's descriptors: whatever their numbers, they came with the call. */
void stage_let_go(struct call *call);

/* Close what the call still holds and forget its facts. */
void stage_end(struct call *call);

/*
 * The time on clock_ms until which somebody waits for this message's verdict: MSA_DEADLINE, or CHAIN_ANSWER_S from now
 * where it is not set. A stage that runs others keeps some of it for itself, and tells them so (stage_set_deadline).
 */
int64_t stage_deadline(const struct call *call);

/*
 * When the stage's own work must be done, so that it can still give its verdict and is not ended by who started it: a
 * tenth of the time left earlier, 2 s at most.
 */
int64_t stage_own_deadline(const struct call *call);
int stage_set_deadline(struct call *call, int64_t deadline_ms); /* 0, or -1 with errno ENOMEM */

/*
 * The main of a message stage was called wrongly: tell usage (a line) on fd 2, and in a chain 451 as the verdict,
 * since our mistakes never refuse mail. The result is the exit code.
 */
int stage_misuse(const char *usage);
int stage_misuse_of(const char *stage, const char *what, const char *reason); /* the line is "stage: what: reason" */

/*
 * Give the verdict of a message call: text is replies, as reply_add* made them, less the closing "."; or those of v
 * (verdict_text). 0, or -1 with errno.
 */
int stage_answer(const struct call *call, const struct buf *text);
int stage_pass(const struct call *call, const struct verdict *v);

/* End a message call: r is the verdict for all recipients (a single reply). The result is the exit code. */
int stage_verdict(struct call *call, enum reply r, const char *detail);

#endif
