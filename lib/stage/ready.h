/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_READY_H
#define MSA_STAGE_READY_H

#include <stdbool.h>
#include <stddef.h>

#include "stage/stage.h"

/*
 * A stage that is ready to serve: its options were read, its tables are open. cmd/NAME/NAME.c makes it so, and its main
 * runs it alone; inline(8) makes several ready and runs them in one process.
 */
struct ready {
	bool inner; /* set before: another stage of this process calls it */
	struct stage stage;
	void *conf; /* for the functions of stage */
	void (*release)(void *conf); /* frees it; NULL: nothing is to be freed */
	struct stage_options options;
	char *const *next; /* the words behind its own, borrowed from argv; NULL: it takes none */
	/* What it was told to do in place of serving calls (print something); the result is the exit code. NULL: nothing. */
	int (*instead)(void *conf, const struct stage_options *options);
};

/*
 * Make r, empty but for inner, ready from the words argv, of which the first is its name. 0, or the exit code: it is
 * misuse, and standard error was told. Either way what r holds is the caller's to release.
 */
typedef int ready_fn(struct ready *r, int argc, char *argv[]);

/* Room for a conf of that size, zeroed, in r. NULL with errno ENOMEM. */
void *ready_conf(struct ready *r, size_t size);

/* Make r ready with make, with the defaults of every stage's options; without memory that is told too. As ready_fn. */
int ready_make(struct ready *r, ready_fn *make, int argc, char *argv[]);

void ready_release(struct ready *r);

/* All of a stage's main: the exit code. */
int ready_main(ready_fn *make, int argc, char *argv[]);

#endif
