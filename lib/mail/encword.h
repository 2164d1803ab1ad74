/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_ENCWORD_H
#define MSA_MAIL_ENCWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mail/charset.h"
#include "msa/buf.h"

/*
 * Decode the encoded word s[0..n), "=?charset?encoding?text?=" (RFC 2047 2), into out, which has room for n octets. The
 * word may be longer than the 75 octets of RFC 2047, as mail programs write such words.
 * Returns the number of octets with *set set, its kind perhaps CHARSET_UNKNOWN; or -1: the word is invalid (errno is
 * not set).
 */
ssize_t encword_decode(char *out, const char *s, size_t n, struct charset *set);

enum { ENCWORD_MAX = 75 }; /* octets of an encoded word (RFC 2047 2) */

/*
 * Append the beginning of text[0..n) as one encoded word of at most max octets, which may stand in a text, a phrase and
 * a comment. No character of UTF-8 is cut, if the text is in UTF-8.
 * Returns the octets of text that are in the word; 0: not one character has room; or -1 with errno set (ENOMEM).
 */
ssize_t encword_add(struct buf *out, const char *text, size_t n, const char *charset, size_t max);

/* Returns the octets of the line that b ends with. */
size_t encword_column(const struct buf *b);

#endif
