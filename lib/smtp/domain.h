/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_DOMAIN_H
#define MSA_SMTP_DOMAIN_H

#include <stddef.h>

#include "smtp/addr.h"

/*
 * Domains in the form in which they are compared: A-labels in lower case (RFC 5890 2.3.2.1). Write the domain s[0..n)
 * in this form to out. A domain with an invalid label keeps its labels, so it equals no other.
 */
void domain_fold(char out[ADDR_DOMAIN_MAX + 1], const char *s, size_t n);

/* The same with U-labels. */
void domain_fold_u(char out[ADDR_DOMAIN_MAX + 1], const char *s, size_t n);

#endif
