/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD: fsync() fails with the errno FSYNC_ERRNO for a directory, and does nothing else. FSYNC_OF says for
 * what it fails instead: "file" is every regular file, another value one path. CLOSE_ERRNO is that of close() of a
 * regular file that was open for writing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
is_meant(const struct stat *st)
{
	const char *of = getenv("FSYNC_OF");
	struct stat its;

	if (!of)
		return S_ISDIR(st->st_mode);
	if (strcmp(of, "file") == 0)
		return S_ISREG(st->st_mode);
	return stat(of, &its) == 0 && its.st_dev == st->st_dev && its.st_ino == st->st_ino;
}

int
fsync(int fd)
{
	const char *number = getenv("FSYNC_ERRNO");
	struct stat st;

	if (!number || fstat(fd, &st) < 0 || !is_meant(&st))
		return 0;
	errno = atoi(number);
	return -1;
}

int
close(int fd)
{
	const char *number = getenv("CLOSE_ERRNO");
	struct stat st;
	int fails = number && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	long r = syscall(SYS_close, fd);

	if (r < 0 || !fails)
		return (int)r;
	errno = atoi(number);
	return -1;
}
