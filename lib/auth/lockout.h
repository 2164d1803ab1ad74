/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_LOCKOUT_H
#define MSA_AUTH_LOCKOUT_H

#include "msa/buf.h"

/*
 * Users who were stopped: a directory with an empty file for each of them, which msa-lock(8) makes. authd and submitd
 * look there by name and need no right to read it. The file's name is the user's in lower case; an octet that is not a
 * letter, a digit or one of @+-_. becomes %XX, and so does a dot in front.
 */
enum { LOCKOUT_NAME_MAX = 255 }; /* octets of a file's name: a user with a longer one cannot be stopped */

enum lockout {
	LOCKOUT_FREE,
	LOCKOUT_STOPPED,
	LOCKOUT_UNKNOWN, /* the directory is missing or cannot be read; errno is set */
};

/* Append the name of the user's file. Returns 0, or -1 with errno set (ENAMETOOLONG, ENOMEM). */
int lockout_name(struct buf *b, const char *user);

/* Look whether the user is stopped. */
enum lockout lockout_find(const char *directory, const char *user);

/*
 * Stop a user, or let the user go on. directory is an open descriptor. The change is on the disk then.
 * Returns 1, or 0: it was so before, or -1 with errno set.
 */
int lockout_add(int directory, const char *user);
int lockout_remove(int directory, const char *user);

#endif
