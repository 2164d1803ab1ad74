/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_USERNAME_H
#define MSA_BASE_USERNAME_H

#include <stdbool.h>
#include <stddef.h>

enum { USERNAME_LABEL_MAX = 64 }; /* octets of the label of a password: letters, digits, "." "_" "-" */

/*
 * The one form in which names of users are compared: the letters A to Z in lower case. Write name[0..n) in this form to
 * out, which has room for n octets and may be name itself.
 */
void username_fold(char *out, const char *name, size_t n);

/* Returns true if s[0..n) can be the label of a password. */
bool username_is_label(const char *s, size_t n);

/* Returns the length of the user in "user/label", or n if name[0..n) does not have that form. */
size_t username_before_label(const char *name, size_t n);

#endif
