/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_USERDB_NAME_H
#define MSA_AUTH_USERDB_NAME_H

#include <stddef.h>

/* What can be a user's name, in the store and everywhere else. */
enum { USERDB_NAME_MAX = 255 }; /* octets */

/*
 * Check a name, and copy it to name, which has room for USERDB_NAME_MAX + 1: well-formed UTF-8 without control
 * characters, 1 to USERDB_NAME_MAX octets, no space at either end. What follows the last "@" becomes lower case
 * (ASCII).
 * Returns 0, or -1: no user can have this name.
 */
int userdb_name(char *name, const char *given, size_t len);

#endif
