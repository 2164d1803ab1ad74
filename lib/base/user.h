/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_USER_H
#define MSA_BASE_USER_H

/* Check that user, "name" or "name:group", exists. Returns 0, or -1 with errno set (ENOENT: no such user or group). */
int user_exists(const char *user);

/*
 * Take the uid and all groups of user, "name" or "name:group", for good. Returns 0, or -1 with errno set (ENOENT: no
 * such user or group; EPERM: root could be taken back, so nothing may go on).
 */
int user_become(const char *user);

#endif
