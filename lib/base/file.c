/* ISC licence, see LICENSE. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char writable[] = "everybody may write to it";

/* Close fd, which is refused because of error. Returns -1 with errno set. */
static int
refuse(int fd, int error, const char **why, const char *reason)
{
	if (fd >= 0)
		close(fd);
	*why = reason ? reason : strerror(error);
	errno = error;
	return -1;
}

/* Open a file, unless its mode has one of the bits denied. Returns as file_open_secret. */
static int
open_file(const char *path, mode_t denied, const char **why, const char *reason)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not stop us */
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(fd, errno, why, NULL);
	if (!S_ISREG(st.st_mode))
		return refuse(fd, EINVAL, why, "not a regular file");
	return st.st_mode & denied ? refuse(fd, EPERM, why, reason) : fd;
}

int
file_open_secret(const char *path, const char **why)
{
	return open_file(path, S_IROTH | S_IWOTH, why, "open to everybody");
}

int
file_open_trusted(const char *path, const char **why)
{
	return open_file(path, S_IWOTH, why, writable);
}

int
file_open_directory(const char *path, bool alone, const char **why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(fd, errno, why, NULL);
	if (st.st_mode & S_IWOTH)
		return refuse(fd, EPERM, why, writable);
	if (alone && st.st_uid != geteuid())
		return refuse(fd, EPERM, why, "it belongs to another user");
	return alone && st.st_mode & S_IWGRP ? refuse(fd, EPERM, why, "its group may write to it") : fd;
}

int
file_write(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int
file_write_at(int fd, const char *p, size_t n, off_t off)
{
	while (n > 0) {
		ssize_t r = pwrite(fd, p, n, off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		p += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

int
file_read(int fd, char *p, size_t n, off_t off)
{
	while (n > 0) {
		ssize_t r = pread(fd, p, n, off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return -1;
		p += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

off_t
file_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = ESPIPE;
		return -1;
	}
	return st.st_size;
}

int
file_finish(int fd, int result)
{
	int e;

	if (result == 0)
		result = fsync(fd);
	e = errno;
	if (close(fd) < 0 && result == 0)
		return -1;
	errno = e;
	return result;
}

int
file_slurp(int fd, size_t max, struct buf *b)
{
	off_t size = file_size(fd);

	if (size < 0)
		return -1;
	if ((size_t)size > max) {
		errno = EFBIG;
		return -1;
	}
	if (buf_room(b, (size_t)size) < 0 || file_read(fd, b->p + b->len, (size_t)size, 0) < 0)
		return -1;
	b->len += (size_t)size;
	b->p[b->len] = '\0';
	return 0;
}
