/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_ID_H
#define MSA_BASE_ID_H

/*
 * Ids of sessions and messages: 14 lower-case letters and digits, the first 7 the time in seconds (so ids sort by
 * time), the rest random. Valid in a Received field's id clause (RFC 5322 atom) and in a file name.
 */
enum { ID_MAX = 16 }; /* with the NUL */

/* Always gives an id: where no randomness can be had, from the clock and the pid. */
void id_make(char id[ID_MAX]);

#endif
