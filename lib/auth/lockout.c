/* ISC licence, see LICENSE. */
#include "auth/lockout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/username.h"

int
lockout_name(struct buf *b, const char *user)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789@+-_.";
	size_t start = b->len;
	const char *s;
	int r = 0;

	for (s = user; *s && r == 0; s++) {
		char c;

		username_fold(&c, s, 1);
		r = strchr(plain, c) && (c != '.' || s != user) ? buf_add(b, &c, 1) : buf_printf(b, "%%%02X", (unsigned char)c);
	}
	if (r == 0 && (b->len == start || b->len - start > LOCKOUT_NAME_MAX)) {
		errno = ENAMETOOLONG;
		r = -1;
	}
	return r;
}

enum lockout
lockout_find(const char *directory, const char *user)
{
	struct buf path = { 0 };
	enum lockout found = LOCKOUT_UNKNOWN;
	struct stat st;
	int e;

	if (buf_printf(&path, "%s/", directory) == 0) {
		if (lockout_name(&path, user) < 0)
			found = errno == ENAMETOOLONG ? LOCKOUT_FREE : LOCKOUT_UNKNOWN;
		else if (stat(path.p, &st) == 0)
			found = LOCKOUT_STOPPED;
		else if (errno == ENOENT && stat(directory, &st) == 0) /* or else the whole directory is missing */
			found = LOCKOUT_FREE;
	}
	e = errno;
	buf_free(&path);
	errno = e;
	return found;
}

int
lockout_add(int directory, const char *user)
{
	struct buf name = { 0 };
	int fd = -1, r = -1, e;

	if (lockout_name(&name, user) == 0) {
		fd = openat(directory, name.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		r = fd >= 0 ? 1 : errno == EEXIST ? 0 : -1;
	}
	if (r == 1 && os_sync_dir(directory, ".") < 0)
		r = -1;
	e = errno;
	if (fd >= 0)
		close(fd);
	buf_free(&name);
	errno = e;
	return r;
}

int
lockout_remove(int directory, const char *user)
{
	struct buf name = { 0 };
	int r = -1, e;

	if (lockout_name(&name, user) == 0)
		r = unlinkat(directory, name.p, 0) == 0 ? 1 : errno == ENOENT ? 0 : -1;
	if (r == 1 && os_sync_dir(directory, ".") < 0)
		r = -1;
	e = errno;
	buf_free(&name);
	errno = e;
	return r;
}
