/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_BASE64_H
#define MSA_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* RFC 4648 4: padding required, no white space, no line ends, unused bits zero. */

/* Append n octets encoded. 0, or -1 with errno ENOMEM. */
int base64_encode(struct buf *out, const void *data, size_t n);

/* Decode n characters into out (which may be s itself, and takes n / 4 * 3 octets). How many octets, or -1. */
ssize_t base64_decode(void *out, const char *s, size_t n);

#endif
