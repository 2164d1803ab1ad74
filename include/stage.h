/* ISC licence, see LICENSE. */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "facts.h"
#include "log.h"
#include "reply.h"
#include "verdict.h"

/*
 * A stage, chain(7): one program in a chain, and a call, the one session or message that it has in hand. A call's state
 * is this struct and nothing else; it starts empty each time.
 */
struct call {
	int in;       /* session: from the peer; message: the message, a regular file */
	int out;      /* session: to the peer (may be in); message: the verdict goes here */
	int envelope; /* message: the envelope, a regular file; -1 where there is none */
	int stop;     /* resident: readable once the stage is to end; -1 where nobody tells */
	bool resident; /* the process serves further calls after this one */
	bool filter;  /* a message stage: outside of any chain (no MSA_MESSAGE) fd 1 is for its output alone */
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
	/* Open anew what main opened (tables, keys): SIGHUP. NULL: nothing. 0, or -1 (logged): what there was is kept. */
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
 * The options that every stage has, chain(7). In the getopt string they are STAGE_OPTIONS; stage_option takes one (0),
 * or says what is wrong with its value on standard error (-1).
 *   -U user[:group]   take that uid; resident: the workers do
 *   -l path           be resident, listen there; "0": the socket is fd 0 or given by LISTEN_FDS
 *   -A user           this user's processes may call too
 *   -C calls          calls until a worker is replaced
 *   -P min:max        workers kept idle at least, and all at most
 *   -R fd             write a newline there when ready (s6's notification-fd)
 */
#define STAGE_OPTIONS "A:C:l:P:R:U:"
#define STAGE_USAGE "[-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user]"
enum { STAGE_ALLOW_MAX = 16 };
struct stage_options {
	const char *user;
	const char *path; /* NULL: exec'd */
	int min, max, calls, notify_fd;
	uid_t allow[STAGE_ALLOW_MAX];
	size_t nallow;
};
void stage_options(struct stage_options *o); /* the defaults */
int stage_option(struct stage_options *o, const char *name, int letter, const char *value);

/*
 * Exec'd: serve the one call that fds 0 to 3 and the environment are. Returns the exit code. In a message stage
 * (MSA_MESSAGE is set) it first checks fd 0 and fd 3. Resident (-l): be the pool of workers until SIGTERM. options
 * NULL: none. Descriptors that main opened stay open if they are close-on-exec, and must be; all others are closed.
 */
int stage_run(const struct stage *stage, void *conf, const struct stage_options *options);

/* Take the uid and all gids of user ("name" or "name:group"). 0, or -1 with errno (ENOENT: no such user). */
int stage_drop(const char *user);

/*
 * What a stage does with the facts it was given, before its first read: drop what it or a later one sets; for a session
 * add the peer and the id where they are missing. The log gets the ids. 0, or -1 with errno ENOMEM.
 */
int stage_learn(const struct stage *stage, struct call *call);

/* Close what the call still holds and forget its facts. */
void stage_end(struct call *call);

/*
 * Give the call to the next program: become it, with the call's descriptors as 0, 1 and 3, its facts as the
 * environment, signals at default. Returns only where that failed; it has then logged why and told the peer or the
 * starter, and the result is the exit code to end with.
 * The words "call" and a path hand over to the resident stage that listens there. A resident stage does not become the
 * program but runs it, and gives its verdict on by the same rules.
 */
int stage_next(struct call *call, char *const argv[]);

/*
 * Run argv for one message as the message chain does: msg is fd 0, envelope fd 3, its output the verdict for n
 * recipients, until deadline_ms. A process group of its own, that is killed at the deadline. The caller keeps its
 * descriptors. Always gives a verdict. 0, or -1 with errno ENOMEM.
 */
int stage_deliver(const struct call *call, char *const argv[], int msg, int envelope, size_t n, int64_t deadline_ms,
    struct verdict *v);

/*
 * The same in two steps, so that several can run side by side: started one after another, finished in any order. The
 * descriptors may be closed between the two; argv must stay. Whatever fails at the start is the verdict of the finish.
 * Side by side each needs a file description of its own for the message (os_reopen).
 */
struct stage_child {
	char *const *argv;
	pid_t pid; /* 0: a resident has it; -1: it was not started, and why says why not */
	int fd;    /* its verdict is read here */
	int64_t deadline_ms;
	const char *why;
};
void stage_start(struct stage_child *c, const struct call *call, char *const argv[], int msg, int envelope,
    int64_t deadline_ms);
int stage_finish(struct stage_child *c, const struct call *call, size_t n, struct verdict *v);

/* Reap who closed its verdict with a dot and ended later. Not between stage_start and stage_finish. */
void stage_reap(void);

/*
 * The time on clock_ms until which somebody waits for this message's verdict: MSA_DEADLINE, or CHAIN_ANSWER_S from now
 * where it is not set. A stage that runs others keeps some of it for itself, and tells them so (stage_set_deadline).
 */
int64_t stage_deadline(const struct call *call);
int stage_set_deadline(struct call *call, int64_t deadline_ms); /* 0, or -1 with errno ENOMEM */

/*
 * In a child that was forked for it: become argv as stage_deliver's child does, a process group of its own, with msg,
 * out and envelope (-1: none) as 0, 1 and 3. Never returns: where that fails it has logged why, and the exit code is
 * 126 or 127.
 */
_Noreturn void stage_become(const struct call *call, char *const argv[], int msg, int out, int envelope);

/*
 * The main of a message stage was called wrongly: tell usage (a line) on fd 2, and in a chain 451 as the verdict,
 * since our mistakes never refuse mail. The result is the exit code.
 */
int stage_misuse(const char *usage);

/* End a message call: write r as the verdict for all recipients (a single reply). The result is the exit code. */
int stage_verdict(struct call *call, enum reply r, const char *detail);

#endif
