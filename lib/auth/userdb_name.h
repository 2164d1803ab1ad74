/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_USERDB_NAME_H
#define MSA_AUTH_USERDB_NAME_H

#include <stddef.h>

/* What can be a user's name, in the store and everywhere else. */
enum { USERDB_NAME_MAX = 255 }; /* octets */

/*
 * Check a name, and write it to name, which has room for USERDB_NAME_MAX + 1, as SASLprep makes it (saslprep.h): 1 to
 * USERDB_NAME_MAX octets, no space at either end. What follows the last "@" becomes lower case (ASCII).
 * Returns 0, or -1: no user can have this name, or out of memory.
 */
int userdb_name(char *name, const char *given, size_t len);

#endif
