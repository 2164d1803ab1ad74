/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_USERNAME_H
#define MSA_BASE_USERNAME_H

#include <stddef.h>

/*
 * The one form in which names of users are compared: the letters A to Z in lower case. Write name[0..n) in this form to
 * out, which has room for n octets and may be name itself.
 */
void username_fold(char *out, const char *name, size_t n);

#endif
