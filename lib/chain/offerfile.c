/* ISC licence, see LICENSE. */
#include "chain/offerfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { READS_MAX = 10 };

/* Check that fd is a regular file that not everybody may write to. Returns 0, or -1 with errno set and *why. */
static int
check(int fd, const char **why)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		*why = strerror(errno);
		return -1;
	}
	*why = !S_ISREG(st.st_mode) ? "not a regular file" : st.st_mode & S_IWOTH ? "everybody may write to it" : NULL;
	errno = !S_ISREG(st.st_mode) ? EINVAL : EPERM;
	return *why ? -1 : 0;
}

/*
 * Append the content of fd to text, when two reads have agreed: one of them may have met a write.
 * Returns 0, or -1 with errno set.
 */
static int
read_steadily(struct buf *text, int fd)
{
	struct buf before = { 0 };
	int reads, r = -1;

	for (reads = 0; reads < READS_MAX; reads++) {
		buf_clear(text);
		r = file_slurp(fd, OFFERFILE_MAX, text);
		if (r < 0 || (reads > 0 && before.len == text->len && memcmp(before.p, text->p, text->len) == 0))
			break;
		buf_clear(&before);
		r = buf_add(&before, text->p, text->len);
		if (r < 0)
			break;
	}
	buf_free(&before);
	return r;
}

/* Append the keywords in the file path to out. Returns 0, or -1 with errno set and *why. */
static int
add_file(struct buf *out, const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r, e; /* a fifo must not stop us */
	struct buf text = { 0 };

	if (fd < 0 && errno == ENOENT)
		return 0;
	r = check(fd, why);
	if (r == 0 && (r = read_steadily(&text, fd)) < 0)
		*why = strerror(errno);
	else if (r == 0 && (strlen(text.p) != text.len || !ehlo_list_is_valid(text.p))) {
		*why = "not keywords with newlines between";
		errno = EINVAL;
		r = -1;
	} else if (r == 0 && (r = buf_add(out, text.p, text.len)) < 0)
		*why = strerror(errno);
	e = errno;
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	errno = e;
	return r;
}

char *
offerfile_name(const char *list)
{
	errno = 0;
	return *list == '@' ? strndup(list + 1, strcspn(list + 1, ",\n")) : NULL;
}

int
offerfile_expand(struct buf *out, const char *list, const char **why)
{
	char *path = offerfile_name(list);
	int r = 0, e;

	*why = "out of memory";
	if (!path)
		return errno ? -1 : buf_puts(out, list);
	r = add_file(out, path, why);
	e = errno;
	free(path);
	if (buf_puts(out, "\n") < 0 || buf_puts(out, list + strcspn(list, ",\n")) < 0)
		return -1;
	errno = e;
	return r;
}

int
offerfile_open(const char *path, const char **why)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), e;

	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0644);
		if (fd >= 0)
			fchmod(fd, 0644); /* whatever the umask is: other users read it */
		else if (errno == EEXIST)
			fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	if (check(fd, why) == 0)
		return fd;
	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return -1;
}

int
offerfile_write(int fd, const struct ehlo *e)
{
	struct buf is = { 0 }, was = { 0 };
	int r = -1;

	if (ehlo_keywords(&is, e) < 0 || file_slurp(fd, OFFERFILE_MAX, &was) < 0)
		goto end;
	while (is.len < was.len) /* a shorter list covers the longer one: the sandbox allows no ftruncate(2) */
		if (buf_puts(&is, "\n") < 0)
			goto end;
	if (is.len == was.len && (is.len == 0 || memcmp(is.p, was.p, is.len) == 0))
		r = 0;
	else
		r = file_write_at(fd, is.p, is.len, 0) < 0 ? -1 : 1;
end:
	buf_free(&is);
	buf_free(&was);
	return r;
}

bool
offerfile_is_new(int fd, int age_s)
{
	struct stat st;

	return fstat(fd, &st) == 0 && time(NULL) - st.st_mtime < age_s;
}
