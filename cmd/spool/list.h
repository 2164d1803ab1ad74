/* ISC licence, see LICENSE. */
#ifndef LIST_H
#define LIST_H

/*
 * Print a line for each message of the spool in directory, the oldest first, on fd 1. The exit code; what failed it has
 * told.
 */
int list_print(const char *directory);

#endif
