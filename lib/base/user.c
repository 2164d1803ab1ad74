/* ISC licence, see LICENSE. */
#include "base/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_ROOM = 256 }; /* octets of a user's name with its NUL */

/* Find the ids of user. name has room for NAME_ROOM and gets the name without the group. */
static int
find(const char *user, char *name, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(user, ':');
	struct passwd *pw;
	struct group *gr = NULL;

	snprintf(name, NAME_ROOM, "%.*s", colon ? (int)(colon - user) : (int)strlen(user), user);
	errno = 0;
	pw = getpwnam(name);
	if (pw && colon)
		gr = getgrnam(colon + 1);
	if (!pw || (colon && !gr)) {
		if (!errno)
			errno = ENOENT;
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = gr ? gr->gr_gid : pw->pw_gid;
	return 0;
}

int
user_exists(const char *user)
{
	char name[NAME_ROOM];
	uid_t uid;
	gid_t gid;

	return find(user, name, &uid, &gid);
}

int
user_become(const char *user)
{
	char name[NAME_ROOM];
	uid_t uid;
	gid_t gid;

	if (find(user, name, &uid, &gid) < 0 || initgroups(name, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -1;
	if (uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
