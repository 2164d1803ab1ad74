/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_OPTIONS_H
#define MSA_STAGE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The options that every stage has, chain-resident(7):
 *   -U user[:group]   take that uid; in a resident only the workers take it
 *   -l path           be resident and listen at path; "0": at fd 0, or at the socket that LISTEN_FDS describes
 *   -A user           this user's processes may call too
 *   -A @group         processes in this group too
 *   -C calls          calls until a worker is replaced
 *   -P min:max        workers kept idle at least, and all workers at most
 *   -R fd             write a newline there when ready (notification-fd of s6)
 */
#define STAGE_OPTIONS "A:C:l:P:R:U:"
#define STAGE_OPTION_LETTERS "AClPRU"

enum {
	STAGE_ALLOW_MAX = 16, /* users of -A, and groups */
	STAGE_WORKERS_MIN = 1,   /* default of -P's min */
	STAGE_WORKERS_MAX = 500, /* default of -P's max */
	STAGE_CALLS = 1000,      /* default of -C */
};

struct stage_options {
	const char *user; /* borrowed from argv, as path is; NULL: none */
	const char *path; /* NULL: exec'd */
	int min, max, calls, notify_fd;
	uid_t allow[STAGE_ALLOW_MAX];
	size_t nallow;
	gid_t groups[STAGE_ALLOW_MAX];
	size_t ngroups;
	bool believe; /* a stage's own option: a call's RELAYCLIENT and MSA_X_* count, whoever calls */
	bool any; /* at least one of these options was given */
};

struct instance;

/* Set the defaults. */
void stage_options(struct stage_options *o);

/* Take one of STAGE_OPTIONS. Returns 0, or -1 as stage_wrong does. */
int stage_option(struct stage_options *o, struct instance *i, int letter, const char *value);

#endif
