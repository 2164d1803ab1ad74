/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_SANDBOX_H
#define MSA_STAGE_SANDBOX_H

#include <stdbool.h>

#include "base/confine.h"
#include "stage/instance.h"

/*
 * What a process gives up before it serves. A process that starts programs, or becomes one, gives up nothing: what it
 * gave up would be missing to them.
 */
struct sandbox {
	struct confine confine; /* what stays */
	bool starts;            /* programs, so there is no sandbox */
};

/*
 * State what the process of an instance needs, by the descriptions of all stages in it and the way to the next program.
 * may is what it does besides: CONFINE_ACCEPT in a resident, CONFINE_TEMPORARY in a filter.
 */
void sandbox_state(struct sandbox *s, const struct instance *i, unsigned may);

/*
 * Prepare for sandbox_enter, in the process that serves or, in a resident, in its parent. Returns a chain_exit code;
 * what is wrong was logged, and in a resident also what the system lacks.
 */
int sandbox_prepare(struct sandbox *s, const struct log *log);

/*
 * Let the stages of i prepare (NULL: there are none), and give up everything else, for good. Returns 0, or -1 with
 * errno set.
 */
int sandbox_enter(const struct sandbox *s, const struct instance *i);

void sandbox_free(struct sandbox *s);

#endif
