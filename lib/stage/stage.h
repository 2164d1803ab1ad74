/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_STAGE_H
#define MSA_STAGE_STAGE_H

#include <stddef.h>

#include "stage/call.h"
#include "stage/run.h"

/*
 * A stage, chain(7): one program of a chain, described by one constant struct. stage_main does everything that all
 * stages have in common: options, the next program, privileges, residents, the call's descriptors and facts.
 */
struct instance;

enum stage_kind {
	STAGE_SESSION,
	STAGE_MESSAGE,
	STAGE_EITHER, /* of a message where MSA_MESSAGE is set, else of a session */
};

/* May a program follow the stage's own words? */
enum stage_next {
	STAGE_DELIVERS,  /* no: all words are the stage's own */
	STAGE_MAY_HAND_ON,
	STAGE_HANDS_ON,  /* one must */
};

/* What serving a call takes from the system, apart from the call's own descriptors. */
enum stage_needs {
	STAGE_FILES = 1 << 0,    /* opens or changes files */
	STAGE_NETWORK = 1 << 1,  /* connects to other hosts or sockets */
	STAGE_PROGRAMS = 1 << 2, /* starts programs, besides the next one */
};

struct stage {
	const char *name;
	enum stage_kind kind;
	enum facts_owner owner; /* the stage first drops the variables of owner and of later stages; FACTS_NOBODY: none */
	enum stage_next next;
	bool needs_chain;       /* a message stage that runs a next program only where MSA_MESSAGE is set */
	unsigned needs;         /* STAGE_FILES and so on; 0: nothing */
	const char *options;    /* the stage's own option letters, as getopt(3) has them */
	const char *usage;      /* what follows "usage: NAME " */
	int own_words;          /* words between the options and the next program */
	size_t conf_size;       /* octets of the stage's configuration, which starts zeroed; the functions get it as conf */

	/* Set the defaults that are not zero. NULL: there are none. */
	void (*init)(void *conf);
	/*
	 * Take one of the stage's own options; value is NULL where the letter takes none, and stays valid.
	 * Returns 0, or -1: misuse; the usage is printed, or what stage_wrong was told.
	 */
	int (*option)(void *conf, int letter, char *value, struct instance *i);
	/*
	 * All options are there: check that they fit together, and open what serving needs.
	 * Returns 0, -1 as option does, or an exit code other than 0: then standard error has been told.
	 */
	int (*check)(void *conf, struct instance *i);
	/*
	 * Serve one call: speak, or give the verdict, or hand the call on as the last thing (call_next). Returns a chain_exit
	 * code, which is the process's where the stage was exec'd.
	 */
	int (*serve)(struct call *call, void *conf);
	/*
	 * SIGHUP: open anew what check opened (tables, keys). NULL: nothing is.
	 * Returns 0, -1 if what there was is kept, or 1 if some of it is. What is kept has been logged.
	 */
	int (*reload)(void *conf, const struct log *log);
	/*
	 * Let go of what was kept for the next call (a connection). It belongs to the worker and tells nothing of any call.
	 * NULL: nothing is kept.
	 */
	void (*idle)(void *conf);
	/* Close and free what conf holds, but not conf. NULL: nothing. */
	void (*release)(void *conf);
};

/* The whole main of a stage. Returns the exit code. */
int stage_main(const struct stage *stage, int argc, char *argv[]);

/* For option and check: what is wrong with which word ("-t 5x", "not a number"). Returns -1. */
int stage_wrong(struct instance *i, const char *word, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* For option: value as a number from least to most. Returns 0, or -1 as stage_wrong does. */
int stage_number(struct instance *i, int letter, const char *value, long long least, long long most, long long *n);

/*
 * The main of a message stage was called wrongly: print line on standard error, and in a message chain give 451 as the
 * verdict, since a mistake of ours never refuses mail. Returns the exit code.
 */
int stage_misuse(const char *line);

#endif
