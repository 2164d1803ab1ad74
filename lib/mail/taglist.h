/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_TAGLIST_H
#define MSA_MAIL_TAGLIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Find a tag in text[begin..end), a list "name=value; name=value" (RFC 6376 3.2), and write its value to out without
 * white space, NUL-ended. Returns true, or false with out empty: there is no such tag, or its value has cap octets or
 * more, or a NUL.
 */
bool taglist_find(const char *text, size_t begin, size_t end, const char *name, char *out, size_t cap);

#endif
