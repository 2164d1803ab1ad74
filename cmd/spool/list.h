/* ISC licence, see LICENSE. */
#ifndef LIST_H
#define LIST_H

/*
 * Print a line for each message of the spool in directory on fd 1, the oldest message first.
 * Returns the exit code; fd 2 says what failed.
 */
int list_print(const char *directory);

#endif
