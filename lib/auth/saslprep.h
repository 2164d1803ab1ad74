/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_SASLPREP_H
#define MSA_AUTH_SASLPREP_H

#include <stddef.h>
#include <sys/types.h>

/*
 * SASLprep (RFC 4013): the one form of a name or a password, whichever way a keyboard makes its characters. A client of
 * SCRAM computes with this form (RFC 5802 5.1), and a server brings what PLAIN sends into this form (RFC 4616 2).
 * Characters that are younger than Unicode 3.2 stay as they are, as in a query (RFC 3454 7).
 */
enum { SASLPREP_MAX = 1024 }; /* octets of a prepared string, with its NUL: normalization can make a string longer */

/*
 * Prepare given[0..len) into out, which has room for SASLPREP_MAX, with a NUL after it. Printable ASCII stays as it is.
 * Returns the number of octets, or -1 with errno set (EINVAL: not UTF-8, a character that RFC 4013 prohibits, text in
 * two directions, nothing left, or too long; ENOMEM).
 */
ssize_t saslprep(char *out, const char *given, size_t len);

#endif
