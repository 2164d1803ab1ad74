/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_CHANGES_H
#define MSA_EXPLAIN_CHANGES_H

#include <stdbool.h>

#include "say.h"
#include "stage/call.h"

/*
 * Say what a stage has made of a message, of its envelope and of its facts: before is what the stage got, after is what
 * it handed on. Each returns 1 if there was anything to say, 0 if not, or -1 with errno set: that cannot be read.
 */
int changes_of_message(const struct say *s, int before, int after);
int changes_of_envelope(const struct say *s, const struct envelope *before, const struct envelope *after);
int changes_of_facts(const struct say *s, const struct facts *before, const struct facts *after);

#endif
