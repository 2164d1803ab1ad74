/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_ENCWORD_H
#define MSA_MAIL_ENCWORD_H

#include <stddef.h>
#include <sys/types.h>

#include "mail/charset.h"

/*
 * Decode the encoded word s[0..n), "=?charset?encoding?text?=" (RFC 2047 2), into out, which has room for n octets. The
 * word may be longer than the 75 octets of RFC 2047, as mail programs write such words.
 * Returns the number of octets with *set set, its kind perhaps CHARSET_UNKNOWN; or -1: the word is invalid (errno is
 * not set).
 */
ssize_t encword_decode(char *out, const char *s, size_t n, struct charset *set);

#endif
