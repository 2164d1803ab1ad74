/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_RCPT_H
#define MSA_EXPLAIN_RCPT_H

#include "letter.h"
#include "walk.h"

/*
 * The check at RCPT, submitd(8) -r: a chain that is asked about each recipient by a message of no octets to this
 * recipient alone. So it is walked through here.
 */

/*
 * Ask the chain whose words are argv about each recipient of call. A recipient that is refused leaves l and the
 * envelope of call, as the client sends the message to the others; *refused becomes their number. Returns 0, or -1 with
 * errno set and *why, a constant text.
 */
int rcpt_walk(struct walk *w, char **argv, struct call *call, struct letter *l, size_t *refused, const char **why);

#endif
