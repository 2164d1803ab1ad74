/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_H
#define MSA_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msa/chain.h>
#include <msa/envelope.h>
#include <msa/log.h>

/*
 * A stage, chain(7): one program of a chain, described by one constant struct. stage_main does everything that all
 * stages have in common: options, the next program, privileges, residents, the call's descriptors and facts. The page
 * is msa-stage(3).
 */

/* The one session or message that a stage has in hand. */
struct call;

/* A stage with its words: its configuration and its next program. Passed to option and check. */
struct instance;

/* What a call is. */
enum call_kind {
	CALL_SESSION, /* one connection: call_in and call_out are the conversation */
	CALL_MESSAGE, /* one message in a message chain: call_out takes the verdict */
	CALL_FILTER,  /* a message stage outside of any chain: call_out takes the message */
};

enum stage_kind {
	STAGE_SESSION,
	STAGE_MESSAGE,
	STAGE_EITHER, /* serves a message if MSA_MESSAGE is set, otherwise a session */
};

/* May a program follow the stage's own words? */
enum stage_next {
	STAGE_DELIVERS,    /* no: all words are the stage's own */
	STAGE_MAY_HAND_ON, /* yes; without one the stage is a filter */
	STAGE_HANDS_ON,    /* a program must follow */
};

/*
 * What serving a call takes from the system, apart from the call's own descriptors. All else is closed to the process
 * before it reads what a stranger has sent: chain-security(7). The library adds what handing on to the next program
 * takes.
 */
enum stage_needs {
	STAGE_FILES = 1 << 0,     /* opens or changes files; without claim: any */
	STAGE_NETWORK = 1 << 1,   /* connects to other hosts or sockets; without claim: any */
	STAGE_PROGRAMS = 1 << 2,  /* starts programs, besides the next one */
	STAGE_TEMPORARY = 1 << 3, /* makes messages or envelopes: files in memory or in TMPDIR */
};

/* What a stage claims beyond its needs. */
struct claims;

/* The options that every stage has, for the usage: chain-resident(7). */
#define STAGE_USAGE "[-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user]"

struct stage {
	const char *name;
	enum stage_kind kind;
	enum facts_owner owner; /* the stage first drops the variables of owner and of later stages; FACTS_NOBODY: none */
	enum stage_next next;
	bool needs_chain;       /* a message stage that has a next program only if MSA_MESSAGE is set */
	bool starts_chain;      /* a session stage whose next program is the first of a message chain */
	unsigned needs;         /* STAGE_FILES and so on, whatever the options are; 0: nothing */
	const char *options;    /* the stage's own option letters, as getopt(3) has them */
	const char *usage;      /* what follows "usage: NAME " */
	int own_words;          /* words between the options and the next program */
	size_t conf_size;       /* octets of the stage's configuration, which starts zeroed; the functions get it as conf */

	/* Set the defaults that are not zero. NULL: there are none. */
	void (*init)(void *conf);
	/*
	 * Take one of the stage's own options; value is NULL if the letter takes none, and stays valid.
	 * Returns 0, or -1: misuse. Then the text of stage_wrong is printed, or else the usage.
	 */
	int (*option)(void *conf, int letter, char *value, struct instance *i);
	/*
	 * Called after the last option: check that the options fit together, and open what serving needs.
	 * Returns 0, -1 as option does, or another exit code after printing the reason on standard error.
	 */
	int (*check)(void *conf, struct instance *i);
	/*
	 * Called after check: claim the files and sockets that serving needs, by stage_reads and so on. NULL: needs is all.
	 */
	void (*claim)(const void *conf, struct claims *c);
	/*
	 * Called in a process that will serve calls, before all else is closed to it: fork what will do for it what it cannot
	 * do itself then. Not called where nothing is closed. Returns 0, or -1 with errno set. NULL: nothing.
	 */
	int (*prepare)(void *conf);
	/*
	 * Serve one call: hold the conversation, give the verdict, or, as the last thing, hand the call on (call_next).
	 * Returns a chain_exit code, which becomes the exit code of an exec'd stage.
	 */
	int (*serve)(struct call *call, void *conf);
	/*
	 * SIGHUP: open anew what check opened (tables, keys). NULL: nothing is opened anew.
	 * Returns 0, -1 if all old files stay open, or 1 if some do. Then the reason was logged.
	 */
	int (*reload)(void *conf, const struct log *log);
	/*
	 * Returns true if a file that reload would open anew is another now. A resident asks before each call, and reloads
	 * before the call is served. Not called without reload. NULL: only SIGHUP reloads.
	 */
	bool (*changed)(const void *conf);
	/*
	 * Let go of what was kept for the next call (a connection). What is kept belongs to the worker, and must hold nothing
	 * of any call. NULL: nothing is kept.
	 */
	void (*idle)(void *conf);
	/* Close and free what conf holds, but not conf. NULL: nothing. */
	void (*release)(void *conf);
	/*
	 * Called after check if msa-check(8) asks, with the uid that serves: report by stage_found what check, which runs
	 * before each service, does not look at. Changes nothing, and serve is not called. NULL: there is nothing more.
	 */
	void (*examine)(const void *conf, struct instance *i);
};

/* The whole main of a stage. Returns the exit code. */
int stage_main(const struct stage *stage, int argc, char *argv[]);

/* For option and check: report a wrong word ("-t 5x") and what is wrong with it ("not a number"). Returns -1. */
int stage_wrong(struct instance *i, const char *word, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * For examine: report what is wrong with a word or a file ("": with the stage), and what to do about it (NULL:
 * msa-check knows, or names the page).
 */
void stage_found(struct instance *i, const char *word, const char *cure, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* For option: parse value as a number from least to most. Returns 0, or -1 after a report as by stage_wrong. */
int stage_number(struct instance *i, int letter, const char *value, long long least, long long most, long long *n);

/* For check: the stage's own words, between its options and the next program. Borrowed. */
char *const *stage_words(const struct instance *i, int *n);

/*
 * For claim. The paths stay the caller's, and valid.
 * stage_reads: serving opens this file, also after another file has taken its name: the directory around it is
 * readable.
 * stage_writes: serving makes, changes and removes files below this directory.
 * stage_connects: serving connects to this TCP port of any host; port 0: to Unix sockets.
 * stage_starts: serving starts programs, or runs code of which nobody knows what it needs: nothing is closed.
 */
void stage_reads(struct claims *c, const char *file);
void stage_writes(struct claims *c, const char *directory);
void stage_connects(struct claims *c, unsigned port);
void stage_starts(struct claims *c);

/* The call in hand */

enum call_kind call_kind(const struct call *call);

/* The conversation of a session: the descriptors to read the peer from and to write to the peer (may be the same). */
int call_in(const struct call *call);
int call_out(const struct call *call);

/* Where log_event writes about this call. Borrowed. */
const struct log *call_log(const struct call *call);

/* Returns the value of a variable of chain(7) ENVIRONMENT, borrowed until the facts change; NULL: it is not set. */
const char *call_fact(const struct call *call, const char *name);

/* Set a variable for the stages that follow; value NULL unsets it. Returns 0, or -1 with errno set (ENOMEM). */
int call_set_fact(struct call *call, const char *name, const char *value);

/*
 * Returns the message as a regular file, complete and never written to again, or -1 with errno set. Read it by
 * pread(2). In a filter, the first call reads the whole input for this; an empty input is ENOMSG, because a program
 * that dies in front of a pipe writes nothing. The descriptor belongs to the call.
 */
int call_message(struct call *call);

/*
 * Returns the envelope of a CALL_MESSAGE, which is read and checked once. It has MSA_RCPTS recipients, at least one,
 * and belongs to the call.
 * Returns NULL with errno set (EINVAL: not a valid envelope, or MSA_RCPTS is another number; ENOMEM) and the reason
 * logged: then answer with call_failed(call, NULL).
 */
const struct envelope *call_envelope(struct call *call);

/*
 * Returns when the stage must be done, in milliseconds of CLOCK_MONOTONIC, to give its verdict before its caller ends
 * it: 2 s before MSA_DEADLINE, or a tenth of the time left if that is less.
 */
int64_t call_own_deadline(const struct call *call);

/*
 * Hand the call on to the next program, as the last thing that the stage does with it. Without a next program a filter
 * writes the message to call_out. Returns the exit code; but the process of an exec'd stage may become the next program
 * instead, and then call_next does not return.
 */
int call_next(struct call *call);

/* The same with another message and another envelope (-1: unchanged). Both are regular files and stay the caller's. */
int call_next_with(struct call *call, int message, int envelope);

/*
 * End a message call with one reply for all recipients: 250, or a code of class 4 or 5 with its enhanced status code,
 * "5.7.1" (RFC 3463). A filter's caller sees only the exit code. Returns the exit code.
 */
int call_reply(struct call *call, int code, const char *enhanced, const char *text);

/*
 * End a call that cannot be served because of errno. Log "failed" with what, unless what is NULL. Answer 451 or 452 for
 * a message, 421 in a session. Returns the exit code.
 */
int call_failed(struct call *call, const char *what);

#endif
