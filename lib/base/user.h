/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_USER_H
#define MSA_BASE_USER_H

#include <sys/types.h>

/* The ids of a user, "name" or "name:group", with all the user's groups. */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t *group; /* owned; ngroups of them */
	int ngroups;
};

/* Look a user up. Returns 0, or -1 with errno set (ENOENT: no such user or group; ENOMEM) and *u empty. */
int user_find(struct user *u, const char *user);
void user_free(struct user *u);

/*
 * Take uid and groups for good. Returns 0, or -1 with errno set (EPERM: not allowed, or root could be taken back, so
 * nothing may go on).
 */
int user_take(const struct user *u);

/* Look a user up, and take uid and groups for good. Returns as user_find and user_take do. */
int user_become(const char *user);

#endif
