/* ISC licence, see LICENSE. */
#include "base/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_ROOM = 256,    /* octets of a user's name with its NUL */
	GROUPS_USUAL = 32,
	GROUPS_MAX = 65536,
};

/* Find all groups of the user. Returns 0, or -1 with errno set (ENOMEM). */
static int
find_groups(struct user *u, const char *name)
{
	int room;

	for (room = GROUPS_USUAL; room <= GROUPS_MAX; room *= 2) {
		gid_t *grown = realloc(u->group, (size_t)room * sizeof *grown);

		if (!grown)
			return -1;
		u->group = grown;
		u->ngroups = room;
		if (getgrouplist(name, u->gid, u->group, &u->ngroups) >= 0)
			return 0;
	}
	errno = ENOMEM;
	return -1;
}

int
user_find(struct user *u, const char *user)
{
	const char *colon = strchr(user, ':');
	char name[NAME_ROOM];
	struct passwd *pw;
	struct group *gr = NULL;
	int e;

	*u = (struct user){ .group = NULL };
	snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - user) : (int)strlen(user), user);
	errno = 0;
	pw = getpwnam(name);
	if (pw && colon)
		gr = getgrnam(colon + 1);
	if (!pw || (colon && !gr)) {
		if (!errno)
			errno = ENOENT;
		return -1;
	}
	u->uid = pw->pw_uid;
	u->gid = gr ? gr->gr_gid : pw->pw_gid;
	if (find_groups(u, name) == 0)
		return 0;
	e = errno;
	user_free(u);
	errno = e;
	return -1;
}

void
user_free(struct user *u)
{
	free(u->group);
	*u = (struct user){ .group = NULL };
}

int
user_take(const struct user *u)
{
	if (setgroups((size_t)u->ngroups, u->group) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0)
		return -1;
	if (u->uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
user_become(const char *user)
{
	struct user u;
	int r = user_find(&u, user), e;

	if (r == 0)
		r = user_take(&u);
	e = errno;
	user_free(&u);
	errno = e;
	return r;
}
