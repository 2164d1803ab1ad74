/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_QUERY_H
#define MSA_EXPLAIN_QUERY_H

#include "msa/buf.h"
#include "say.h"
#include "stage/call.h"
#include "words.h"

/*
 * A stage with a table answers by its option -q what the table has, and by which key. Ask for the addresses and the
 * user of a message, and print the answers.
 */
void query_table(const struct say *s, const struct words *w, const struct call *call, const struct envelope *e);

/* Ask route where one recipient goes; appends its answer, one line. Returns 0, or -1 if no answer came. */
int query_route(const struct words *w, const char *sender, const char *rcpt, const char *user, struct buf *answer);

#endif
