/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_AUTHRES_H
#define MSA_MAIL_AUTHRES_H

#include <stddef.h>

/*
 * Copy the authserv-id of an Authentication-Results field (RFC 8601 2.2) with this value, text[begin..end), to id,
 * which has room for cap octets: without comments, quotes and a dot at its end, NUL-ended, and cut if it is longer.
 * Returns its length, or 0: the field has none, or it cannot be read.
 */
size_t authres_id(const char *text, size_t begin, size_t end, char *id, size_t cap);

#endif
