/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_NEXT_H
#define MSA_STAGE_NEXT_H

#include <stdbool.h>

struct call;

/*
 * Give the call to the next program: become it, with the call's descriptors as 0, 1 and 3, its facts as the
 * environment, signals at default. Returns only where that failed; it has then logged why and told the peer or the
 * starter, and the result is the exit code to end with.
 * The words "call" and a path hand over to the resident stage that listens there. A resident stage does not become the
 * program but runs it, and gives its verdict on by the same rules.
 */
int stage_next(struct call *call, char *const argv[]);

/*
 * In a child that was forked for it: become argv as stage_deliver's child does, a process group of its own, with msg,
 * out and envelope (-1: none) as 0, 1 and 3. Never returns: where that fails it has logged why, and the exit code is
 * 126 or 127.
 */
_Noreturn void stage_become(const struct call *call, char *const argv[], int msg, int out, int envelope);

/* The words "call PATH". */
bool next_is_call(char *const argv[]);

#endif
