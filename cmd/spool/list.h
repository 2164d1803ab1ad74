/* ISC licence, see LICENSE. */
#ifndef LIST_H
#define LIST_H

/* Print a line for each message of the spool in directory, oldest first, on fd 1. The exit code; it has told what failed. */
int list_print(const char *directory);

#endif
