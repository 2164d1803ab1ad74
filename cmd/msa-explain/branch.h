/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_BRANCH_H
#define MSA_EXPLAIN_BRANCH_H

#include "say.h"
#include "walk.h"
#include "words.h"

/*
 * Explain route(8), which is not run, since the chains of its table would deliver: say where each recipient goes, and
 * walk through each chain with its part of the recipients. Returns as walk_chain.
 */
int branch_walk(struct walk *w, const struct say *s, const struct words *words, struct call *call,
    const struct envelope *e, struct answers *a, const char **why);

#endif
