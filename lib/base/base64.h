/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_BASE64_H
#define MSA_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"

/* Base64, RFC 4648 4. Padding is required, unused bits must be zero, white space and line ends are invalid. */

/* Append n octets of data, encoded. Returns 0, or -1 with errno set (ENOMEM) and out unchanged. */
int base64_encode(struct buf *out, const void *data, size_t n);

/*
 * Decode n characters into out, which must have room for n / 4 * 3 octets and may be s itself.
 * Returns the number of octets, or -1 if s is invalid (errno is not set).
 */
ssize_t base64_decode(void *out, const char *s, size_t n);

#endif
