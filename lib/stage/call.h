/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_CALL_H
#define MSA_STAGE_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "chain/envelope.h"
#include "chain/facts.h"
#include "chain/verdict.h"
#include "msa/stage.h"
#include "smtp/reply.h"

struct next;

/*
 * The one session or message that a stage has in hand. All state of a call is in this struct, which starts empty each
 * time. A stage reads kind, in, out, envelope, facts and log; the library owns the rest.
 */
struct call {
	enum call_kind kind;
	int in;       /* session: from the peer; message: the message, a regular file (read it by pread) */
	int out;      /* session: to the peer (may be in); message: the verdict, -1 where verdict is set */
	int envelope; /* message: the envelope, a regular file; else -1 */
	int stop;     /* in a resident: readable once the stage has to end; else -1 */
	int collected; /* the file that call_message has made of a filter's input, owned; 0: none */
	uid_t caller; /* in a resident: the uid of the process that called, or (uid_t)-1: unknown; else our own */
	bool may_exec; /* the next program may replace this process, which has nothing else to do; false in a resident */
	const struct next *next; /* what the stage that serves this call runs next; borrowed */
	struct verdict *verdict; /* message, if a stage of this process made the call: gets the verdict; else NULL */
	struct envelope *parsed; /* what call_envelope has read, owned; NULL: not yet */
	struct facts facts;
	struct log log;
};

/* Free what call_envelope has read. For a call whose envelope becomes another file. */
void call_forget_envelope(struct call *call);

/*
 * End a message call with reply r for all recipients. text replaces the text of r unless it is NULL. A filter's caller
 * sees only the exit code. Returns the exit code.
 */
int call_verdict(struct call *call, enum reply r, const char *text);

/*
 * Refuse a message for good by the verdict r with the text why, and log that. A filter, which a person runs, prints why
 * instead. Returns the exit code.
 */
int call_reject(struct call *call, enum reply r, const char *why);

/*
 * End a message call with v, a reply for each recipient or one for all. Takes over what v holds; v is empty
 * afterwards. Returns the exit code.
 */
int call_answer(struct call *call, struct verdict *v);

/*
 * End a call that cannot be served. A session gets r as its last reply, a message gets the verdict 451, and a filter
 * writes nothing. Returns the exit code.
 */
int call_refuse(struct call *call, enum reply r);

/*
 * Returns the time on clock_ms until which the caller waits for this message's verdict: MSA_DEADLINE, or CHAIN_ANSWER_S
 * from now if MSA_DEADLINE is not set, invalid, or more than CHAIN_DEADLINE_MAX_S away.
 */
int64_t call_deadline(const struct call *call);

/* Set MSA_DEADLINE to deadline_ms (clock_ms). Returns 0, or -1 with errno set (ENOMEM). */
int call_set_deadline(struct call *call, int64_t deadline_ms);

/* Returns true if the caller of this message has given up: its deadline has passed, or it no longer reads out. */
bool call_is_over(const struct call *call);

/*
 * Prepare the facts of a call before the stage's first read. Unset the variables of owner and of later stages
 * (FACTS_NOBODY: none). In a session, add the peer's address and the session's id if they are missing. Set the ids of
 * the log. Returns 0, or -1 with errno set (ENOMEM).
 */
int call_learn(struct call *call, enum facts_owner owner);

/* Close the descriptors of a call, whatever their numbers. Only in a resident, where they came with the call. */
void call_let_go(struct call *call);

/* Free what the call holds. If the process serves further calls (!may_exec), close the call's descriptors too. */
void call_end(struct call *call);

#endif
