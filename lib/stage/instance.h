/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_INSTANCE_H
#define MSA_STAGE_INSTANCE_H

#include <stdbool.h>

#include "base/finding.h"
#include "stage/call.h"
#include "stage/next.h"
#include "stage/options.h"

/*
 * A stage with its words: its configuration, the options that every stage has, and its next program. main.c makes one
 * for the stage of the process; inline(8) makes several and chains them by next.
 */
struct instance {
	const struct stage *stage;
	enum stage_kind kind;   /* the stage's, or what STAGE_EITHER has become */
	bool inner;             /* set before instance_read: another stage of this process calls this one */
	const struct finding *asked; /* set before instance_read: report all that is wrong, and go on; NULL: in earnest */
	void *conf;             /* stage->conf_size octets, owned */
	struct stage_options options;
	char **words;           /* the stage's own words after the options, nwords of them; borrowed from argv */
	int nwords;
	struct next next;
	int idle_s;             /* seconds without a call, after which stage->idle is called; 0: when the worker ends */
	/*
	 * Called in place of serving calls (to print something). Returns the exit code. NULL: serve calls. If option sets it,
	 * all words are the stage's own.
	 */
	int (*instead)(const struct instance *i);
	/*
	 * A resident's work beside the calls. Called in a process of its own with a worker's rights: when the service starts,
	 * after a reload, errand_s after it has returned CHAIN_DONE, and sooner after anything else. NULL: there is none.
	 */
	int (*errand)(const struct instance *i, const struct log *log);
	int errand_s;
	char wrong_word[401], wrong[600]; /* what stage_wrong was given; wrong "": nothing */
	int faults;             /* that were reported, if asked */
};

/*
 * Read the words argv, the first of which is the stage's name, into *i, which is empty except for inner and asked.
 * Returns 0, or the exit code after the reason was printed on standard error; in a message chain, misuse also gave the
 * verdict 451. If asked, what is wrong was reported instead, and the result is 0. Call instance_release in any case.
 */
int instance_read(struct instance *i, const struct stage *stage, int argc, char *argv[]);

/* Serve the one call of fds 0 to 3 and the environment, or with -l serve calls until SIGTERM. Returns the exit code. */
int instance_run(const struct instance *i);

/*
 * Reload i and every stage after it in this process. A stage that cannot use its new files does not keep the others
 * from theirs. Returns 0, -1 if all stages keep their old files, or 1 if some do; the reasons were logged.
 */
int instance_reload(const struct instance *i, const struct log *log);

/* Returns true if a file of i or of a stage after it in this process is another than the one that is open. */
bool instance_changed(const struct instance *i);

/* Returns true if i or a stage after it in this process can tell that. */
bool instance_watches(const struct instance *i);

/* Returns true if i or a stage after it in this process has files to open anew. */
bool instance_reloads(const struct instance *i);

/* Have i and every stage after it in this process let go of what they kept for the next call (struct stage, idle). */
void instance_idle(const struct instance *i);

/* Returns after how many seconds without a call to call instance_idle; 0: only when the worker ends. */
int instance_idle_s(const struct instance *i);

/* Describe an instance that was read because it was asked, and examine what serving calls needs. Serves none. */
void instance_examine(struct instance *i);

void instance_release(struct instance *i);

/*
 * Report the wrong command line of a message stage: print line on standard error and, in a message chain, give the
 * verdict 451, because a mistake of ours never refuses mail for good. Returns the exit code.
 */
int stage_misuse(const char *line);

#endif
