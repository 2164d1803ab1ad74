/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_ID_H
#define MSA_BASE_ID_H

/*
 * The id of a session or a message: 14 lower-case letters and digits. The first 7 are the time in seconds, so ids sort
 * by time; the other 7 are random. An id is a valid file name, and an RFC 5322 atom, as the id clause of a Received
 * field must be.
 */
enum { ID_MAX = 16 }; /* with the NUL */

/* Make an id. If the system gives no randomness, the clock and the pid take its place, so this cannot fail. */
void id_make(char id[ID_MAX]);

#endif
