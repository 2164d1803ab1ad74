/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_INSTANCE_H
#define MSA_STAGE_INSTANCE_H

#include <stdbool.h>

#include "stage/call.h"
#include "stage/next.h"
#include "stage/options.h"

/*
 * A stage whose words were read: its configuration, its own options of a resident, and its next program. main.c makes
 * one for the stage of the process; inline(8) makes several and chains them by next.
 */
struct instance {
	const struct stage *stage;
	enum stage_kind kind;   /* the stage's, or what STAGE_EITHER has become */
	bool inner;             /* set before: another stage of this process calls this one */
	void *conf;             /* stage->conf_size octets, owned */
	struct stage_options options;
	char **words;           /* own words that follow the options, nwords of them; borrowed from argv */
	int nwords;
	struct next next;
	int idle_s;             /* seconds without a call, after which stage->idle is due; 0: when the worker ends */
	/* What the stage does in place of serving calls (print something). Returns the exit code. NULL: nothing. */
	int (*instead)(const struct instance *i);
	char wrong[1024];       /* what stage_wrong wrote; "": nothing */
};

/*
 * Make *i, which is empty but for inner, of the words argv, of which the first is the stage's name.
 * Returns 0, or an exit code: standard error, and in a message chain the verdict, has been told why. Either way
 * instance_release frees what i holds.
 */
int instance_read(struct instance *i, const struct stage *stage, int argc, char *argv[]);

/* Serve: the one call that fds 0 to 3 and the environment are, or (-l) calls until SIGTERM. Returns the exit code. */
int instance_run(const struct instance *i);

/*
 * Reload i and every stage in this process that follows it, as if each had a process of its own: what one cannot use
 * keeps no other from what is new. Returns 0, -1 if all keep what they had, or 1 if some do. What was kept is logged.
 */
int instance_reload(const struct instance *i, const struct log *log);

/* Have i and every stage in this process that follows it let go of what they kept for the next call. */
void instance_idle(const struct instance *i);

/* After how many seconds without a call instance_idle is due; 0: nothing is kept, or until the worker ends. */
int instance_idle_s(const struct instance *i);

void instance_release(struct instance *i);

/*
 * The main of a message stage was called wrongly: print line on standard error, and in a message chain give 451 as the
 * verdict, since a mistake of ours never refuses mail. Returns the exit code.
 */
int stage_misuse(const char *line);

#endif
