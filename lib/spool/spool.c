/* ISC licence, see LICENSE. */
#include "spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"

enum {
	PATH_ROOM = 64, /* SUB/ID/envelope.new */
	ID_LEN = 14,
};

static void
path_of(char path[PATH_ROOM], const char *sub, const char *id, const char *file)
{
	snprintf(path, PATH_ROOM, "%s/%s%s%s", sub, id, file ? "/" : "", file ? file : "");
}

static const char *const marks[] = { [SPOOL_HOLD] = "hold", [SPOOL_TRY] = "try", [SPOOL_RETURN] = "return" };

bool
spool_is_id(const char *s)
{
	return strlen(s) == ID_LEN && strspn(s, "0123456789abcdefghjkmnpqrstvwxyz") == ID_LEN;
}

/* Make the directories, the lock and the trigger. */
static int
make_parts(int dir)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	bool made = false;
	size_t i;
	int fd;

	for (i = 0; i < sizeof subs / sizeof *subs; i++) {
		if (mkdirat(dir, subs[i], 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			return -1;
	}
	fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	if (mkfifoat(dir, "trigger", 0600) < 0 && errno != EEXIST)
		return -1;
	return made ? os_sync_dir(dir, ".") : 0;
}

int
spool_look(struct spool *s, const char *path)
{
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir < 0 ? -1 : 0;
}

int
spool_open(struct spool *s, const char *path, const char **why)
{
	int e;

	s->dir = file_open_directory(path, true, why);
	if (s->dir < 0 || make_parts(s->dir) == 0)
		return s->dir < 0 ? -1 : 0;
	e = errno;
	spool_close(s);
	*why = strerror(e);
	errno = e;
	return -1;
}

void
spool_close(struct spool *s)
{
	if (s->dir >= 0)
		close(s->dir);
	s->dir = -1;
}

/* Write the record of a message to the file path, on the disk. */
static int
write_record(const struct spool *s, const char *path, const struct spoolrec *m)
{
	struct buf b = { 0 };
	int fd = -1, r = spoolrec_write(m, &b), e;

	if (r == 0)
		r = fd = openat(s->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		r = file_finish(fd, file_write(fd, b.p, b.len));
	e = errno;
	buf_free(&b);
	errno = e;
	return r < 0 ? -1 : 0;
}

static int
write_message(const struct spool *s, const char *id, int message, off_t size)
{
	char path[PATH_ROOM];
	int fd;

	path_of(path, "tmp", id, "message");
	fd = openat(s->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	/* Mode 0444, as os_disk_file: a stage with another uid that gets the descriptor may reopen the file to read it. */
	return fd < 0 ? -1 : file_finish(fd, fchmod(fd, 0444) < 0 || os_copy(fd, message, 0, size) < 0 ? -1 : 0);
}

static int
has_room(const struct spool *s, off_t least)
{
	struct statvfs v;

	if (fstatvfs(s->dir, &v) < 0)
		return -1;
	if ((unsigned long long)v.f_bavail * v.f_frsize >= (unsigned long long)least)
		return 0;
	errno = ENOSPC;
	return -1;
}

int
spool_write(const struct spool *s, const struct spoolrec *m, int message, off_t size, off_t least, char id[ID_MAX])
{
	char dir[PATH_ROOM], envelope[PATH_ROOM];
	int e;

	id_make(id);
	path_of(dir, "tmp", id, NULL);
	path_of(envelope, "tmp", id, "envelope");
	if ((least > 0 && has_room(s, least + size) < 0) || mkdirat(s->dir, dir, 0700) < 0)
		return -1;
	if (write_message(s, id, message, size) == 0 && write_record(s, envelope, m) == 0 && os_sync_dir(s->dir, dir) == 0)
		return 0;
	e = errno;
	spool_discard(s, id);
	errno = e;
	return -1;
}

int
spool_commit(const struct spool *s, const char *id)
{
	char from[PATH_ROOM], to[PATH_ROOM];
	int e;

	path_of(from, "tmp", id, NULL);
	path_of(to, "new", id, NULL);
	if (renameat(s->dir, from, s->dir, to) < 0)
		return -1;
	if (os_sync_dir(s->dir, "new") < 0) {
		e = errno;
		renameat(s->dir, to, s->dir, from); /* fails if the runner has taken it: then it is delivered twice */
		errno = e;
		return -1;
	}
	spool_wake(s, SPOOL_NEW); /* if this fails, the runner finds the message within a minute */
	return 0;
}

void
spool_discard(const struct spool *s, const char *id)
{
	static const char *const files[] = { "envelope", "envelope.new", "message", "hold", "try", "return" };
	char path[PATH_ROOM];
	size_t i;

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		path_of(path, "tmp", id, files[i]);
		unlinkat(s->dir, path, 0);
	}
	path_of(path, "tmp", id, NULL);
	unlinkat(s->dir, path, AT_REMOVEDIR);
}

int
spool_each(const struct spool *s, const char *sub, int (*f)(void *arg, const char *id), void *arg)
{
	int fd = openat(s->dir, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0, e;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		e = errno;
		if (fd >= 0)
			close(fd);
		errno = e;
		return -1;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (spool_is_id(entry->d_name))
			r = f(arg, entry->d_name);
	if (errno)
		r = -1;
	e = errno;
	closedir(dir);
	errno = e;
	return r < 0 ? -1 : 0;
}

int
spool_accept(const struct spool *s, const char *id)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	path_of(from, "new", id, NULL);
	path_of(to, "cur", id, NULL);
	return renameat(s->dir, from, s->dir, to);
}

/* Open the directory of a message, which moves only from new to cur. */
static int
open_message(const struct spool *s, const char *id)
{
	char path[PATH_ROOM];
	int fd;

	path_of(path, "new", id, NULL);
	fd = openat(s->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	path_of(path, "cur", id, NULL);
	return openat(s->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
spool_mark(const struct spool *s, const char *id, enum spool_mark mark)
{
	int dir = open_message(s, id), fd = -1, e;

	if (dir >= 0)
		fd = openat(dir, marks[mark], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	e = errno;
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	errno = e;
	return fd < 0 ? -1 : 0;
}

int
spool_unmark(const struct spool *s, const char *id, enum spool_mark mark)
{
	int dir = open_message(s, id), r = -1, e;

	if (dir >= 0)
		r = unlinkat(dir, marks[mark], 0) < 0 && errno != ENOENT ? -1 : 0;
	e = errno;
	if (dir >= 0)
		close(dir);
	errno = e;
	return r;
}

int
spool_flush(const struct spool *s, const char *id)
{
	int dir = open_message(s, id), r = -1, e;

	if (dir >= 0)
		r = os_sync_dir(dir, ".");
	e = errno;
	if (dir >= 0)
		close(dir);
	errno = e;
	return r;
}

int
spool_flush_all(const struct spool *s)
{
	return os_sync_all(s->dir);
}

bool
spool_has_mark(const struct spool *s, const char *sub, const char *id, enum spool_mark mark)
{
	char path[PATH_ROOM];

	path_of(path, sub, id, marks[mark]);
	return faccessat(s->dir, path, F_OK, 0) == 0;
}

bool
spool_is_held(const struct spool *s, const char *sub, const char *id)
{
	return spool_has_mark(s, sub, id, SPOOL_HOLD) && !spool_has_mark(s, sub, id, SPOOL_RETURN);
}

int
spool_open_file(const struct spool *s, const char *sub, const char *id, const char *file)
{
	char path[PATH_ROOM];

	path_of(path, sub, id, file);
	return openat(s->dir, path, O_RDONLY | O_CLOEXEC);
}

off_t
spool_size(const struct spool *s, const char *sub, const char *id)
{
	char path[PATH_ROOM];
	struct stat st;

	path_of(path, sub, id, "message");
	return fstatat(s->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : st.st_size;
}

bool
spool_is_in(const struct spool *s, const char *sub, const char *id)
{
	char path[PATH_ROOM];

	path_of(path, sub, id, NULL);
	return faccessat(s->dir, path, F_OK, 0) == 0;
}

int
spool_due(const struct spool *s, const char *id, time_t *due)
{
	char head[SPOOLREC_HEAD_MAX];
	ssize_t n;
	int fd, e;

	fd = spool_open_file(s, "cur", id, "envelope");
	if (fd < 0)
		return -1;
	n = pread(fd, head, sizeof head, 0);
	e = errno;
	close(fd);
	if (n < 0 || spoolrec_next(head, (size_t)n, due) < 0) {
		errno = n < 0 ? e : EINVAL;
		return -1;
	}
	if (spool_is_held(s, "cur", id))
		*due = SPOOLREC_NEVER;
	else if (spool_has_mark(s, "cur", id, SPOOL_RETURN) || spool_has_mark(s, "cur", id, SPOOL_TRY))
		*due = 0;
	return 0;
}

int
spool_load(const struct spool *s, const char *sub, const char *id, struct spoolrec *m, int *message, const char **why)
{
	struct buf text = { 0 };
	int fd, r, e;

	*why = "envelope cannot be read";
	fd = spool_open_file(s, sub, id, "envelope");
	if (fd < 0)
		return -1;
	r = file_slurp(fd, SPOOLREC_MAX, &text);
	e = errno;
	close(fd);
	errno = e;
	if (r == 0)
		r = spoolrec_parse(m, &text, why);
	if (r == 0 && message) {
		*why = "message cannot be read";
		r = *message = spool_open_file(s, sub, id, "message");
	}
	e = errno;
	buf_free(&text);
	if (r < 0)
		spoolrec_free(m);
	errno = e;
	return r < 0 ? -1 : 0;
}

int
spool_save(const struct spool *s, const char *id, const struct spoolrec *m)
{
	char dir[PATH_ROOM], from[PATH_ROOM], to[PATH_ROOM];
	int e;

	path_of(dir, "cur", id, NULL);
	path_of(from, "cur", id, "envelope.new");
	path_of(to, "cur", id, "envelope");
	if (write_record(s, from, m) == 0 && renameat(s->dir, from, s->dir, to) == 0)
		return os_sync_dir(s->dir, dir);
	e = errno;
	unlinkat(s->dir, from, 0);
	errno = e;
	return -1;
}

int
spool_take_out(const struct spool *s, const char *sub, const char *id)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	path_of(from, sub, id, NULL);
	path_of(to, "tmp", id, NULL);
	return renameat(s->dir, from, s->dir, to);
}

int
spool_flush_folders(const struct spool *s)
{
	return os_sync_dir(s->dir, "new") < 0 || os_sync_dir(s->dir, "cur") < 0 ? -1 : 0;
}

int
spool_remove(const struct spool *s, const char *id)
{
	if (spool_take_out(s, "cur", id) < 0 || os_sync_dir(s->dir, "cur") < 0)
		return -1;
	spool_discard(s, id);
	return 0;
}

int
spool_move(const struct spool *s, const char *sub, const char *id, const struct spool *to)
{
	char from[PATH_ROOM], new[PATH_ROOM];

	path_of(from, sub, id, NULL);
	path_of(new, "new", id, NULL);
	if (spool_is_in(to, "new", id) || spool_is_in(to, "cur", id)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(s->dir, from, to->dir, new);
}

static int
sweep_one(void *arg, const char *id)
{
	const struct spool *s = arg;
	char path[PATH_ROOM];
	struct stat st;

	path_of(path, "tmp", id, NULL);
	if (fstatat(s->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - SPOOL_STALE_S)
		spool_discard(s, id);
	return 0;
}

void
spool_sweep(const struct spool *s)
{
	spool_each(s, "tmp", sweep_one, (void *)s);
}

int
spool_lock(const struct spool *s, bool wait)
{
	int fd = openat(s->dir, "lock", O_RDWR | O_CLOEXEC), e;

	if (fd >= 0 && flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) == 0)
		return fd;
	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return -1;
}

int
spool_listen(const struct spool *s)
{
	/* O_RDWR: with a writer of our own there is never an end of file. */
	return openat(s->dir, "trigger", O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int
spool_wake(const struct spool *s, char what)
{
	int fd = openat(s->dir, "trigger", O_WRONLY | O_NONBLOCK | O_CLOEXEC), e;
	ssize_t r;

	if (fd < 0)
		return errno == ENXIO || errno == ENOENT ? 0 : -1;
	r = write(fd, &what, 1);
	e = errno;
	close(fd);
	errno = e;
	return r == 1 || (e == EAGAIN && what == SPOOL_NEW) ? 0 : -1; /* EAGAIN: whoever reads the full fifo looks at new */
}

bool
spool_has_runner(const struct spool *s)
{
	int fd = openat(s->dir, "trigger", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
