/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_CONFINE_IMPL_H
#define MSA_BASE_CONFINE_IMPL_H

#include <limits.h>

#include "base/confine.h"

/*
 * Inside confine: confine_linux.c and confine_openbsd.c each have confine_prepare, confine_enter and confine_parent for
 * their system; confine.c has those for a system without a sandbox, and what all share.
 */

/* Set directory to the directory of a file. Returns directory. */
const char *confine_directory_of(char directory[PATH_MAX], const char *file);

#endif
