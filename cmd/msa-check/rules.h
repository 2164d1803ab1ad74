/* ISC licence, see LICENSE. */
#ifndef MSA_CHECK_RULES_H
#define MSA_CHECK_RULES_H

#include "line.h"

/* What no stage can see alone: the order of the stages, residents that are called, and limits that do not fit. */
void rules_apply(struct lines *l);

#endif
