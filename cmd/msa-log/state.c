/* ISC licence, see LICENSE. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"

static const char first_line[] = "msa-log metrics 1", last_line[] = "end";

struct state_log *
state_log(struct state *s, const char *path)
{
	struct state_log *l;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->log[i].path, path) == 0)
			return &s->log[i];
	if (s->n == STATE_LOGS || strchr(path, '\n')) {
		errno = s->n == STATE_LOGS ? ENOSPC : EINVAL;
		return NULL;
	}
	l = &s->log[s->n];
	*l = (struct state_log){ .path = strdup(path), .offset = -1 };
	if (!l->path)
		return NULL;
	s->n++;
	return l;
}

int
state_head(int fd, int64_t n, uint64_t *sum)
{
	char head[STATE_HEAD];
	size_t size = n < STATE_HEAD ? (size_t)n : STATE_HEAD, i;

	if (file_read(fd, head, size, 0) < 0)
		return -1;
	*sum = UINT64_C(14695981039346656037); /* FNV-1a: who writes the log can write anything */
	for (i = 0; i < size; i++)
		*sum = (*sum ^ (unsigned char)head[i]) * UINT64_C(1099511628211);
	return 0;
}

/* Take "file DEV INO HEAD OFFSET PATH". */
static int
take_log(struct state *s, const char *line)
{
	struct state_log *l, is;
	int n = 0;

	if (sscanf(line, "file %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNd64 " %n", &is.dev, &is.ino, &is.head, &is.offset,
	    &n) < 4 || n == 0 || line[n] == '\0' || is.offset < 0) {
		errno = EINVAL;
		return -1;
	}
	l = state_log(s, line + n);
	if (!l)
		return -1;
	is.path = l->path;
	*l = is;
	return 0;
}

static int
take_line(struct state *s, const char *line)
{
	if (strncmp(line, "file ", 5) == 0)
		return take_log(s, line);
	if (strncmp(line, "cursor ", 7) == 0 && !s->cursor)
		return (s->cursor = strdup(line + 7)) ? 0 : -1;
	return counters_take(&s->counters, line);
}

/* Take a whole file. */
static int
take(struct state *s, struct buf *b)
{
	char *line = b->p, *lf;
	int is_first = 1;

	for (; line && (lf = strchr(line, '\n')); line = lf + 1, is_first = 0) {
		*lf = '\0';
		if (is_first ? strcmp(line, first_line) != 0 : strcmp(line, last_line) == 0)
			break;
		if (!is_first && take_line(s, line) < 0)
			return -1;
	}
	if (line && strcmp(line, last_line) == 0 && line + sizeof last_line == b->p + b->len)
		return 0;
	errno = EINVAL;
	return -1;
}

/*
 * Where others may make files too, what has the name of ours may be theirs, or a link to any file. Returns 0 if fd is a
 * file of our own, with alone one that has no other name; or -1 with errno set (EPERM: it is not).
 */
static int
check_own(int fd, bool alone, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return -1;
	if (S_ISREG(st->st_mode) && st->st_uid == geteuid() && (!alone || st->st_nlink <= 1))
		return 0;
	errno = EPERM;
	return -1;
}

/*
 * Lock the file that will be the new one. Who renames it has the lock until the end, so a lock on a file that is no
 * longer there is not enough.
 */
static int
lock(struct state *s, const char *path)
{
	struct stat a, b;

	for (;;) {
		s->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
		if (s->fd < 0) {
			if (errno == ELOOP)
				errno = EPERM;
			return -1;
		}
		if (check_own(s->fd, true, &a) < 0 || flock(s->fd, LOCK_EX | LOCK_NB) < 0)
			return -1;
		if (lstat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			return 0;
		close(s->fd);
	}
}

static int
new_path(struct buf *b, const char *path)
{
	return buf_printf(b, "%s.new", path);
}

int
state_open(struct state *s, const char *path)
{
	struct buf name = { 0 }, text = { 0 };
	struct stat st;
	int fd, r;

	*s = (struct state){ .path = path, .fd = -1 };
	r = new_path(&name, path) < 0 || lock(s, name.p) < 0 ? -1 : 0;
	buf_free(&name);
	if (r < 0)
		return -1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	r = check_own(fd, false, &st) < 0 || file_slurp(fd, STATE_MAX, &text) < 0 || take(s, &text) < 0 ? -1 : 0;
	close(fd);
	buf_free(&text);
	return r;
}

int
state_save(struct state *s)
{
	struct buf text = { 0 }, name = { 0 };
	size_t i;
	int r = buf_printf(&text, "%s\n", first_line) | new_path(&name, s->path);

	for (i = 0; i < s->n; i++)
		if (s->log[i].offset >= 0)
			r |= buf_printf(&text, "file %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %s\n", s->log[i].dev, s->log[i].ino,
			    s->log[i].head, s->log[i].offset, s->log[i].path);
	if (s->cursor)
		r |= buf_printf(&text, "cursor %s\n", s->cursor);
	r |= counters_save(&s->counters, &text);
	r |= buf_printf(&text, "%s\n", last_line);
	if (r == 0 && (ftruncate(s->fd, 0) < 0 || file_write_at(s->fd, text.p, text.len, 0) < 0 || fsync(s->fd) < 0 ||
	    rename(name.p, s->path) < 0))
		r = -1;
	if (r == 0) {
		char *folder = strdup(s->path);

		r = folder ? os_sync_dir(AT_FDCWD, dirname(folder)) : -1;
		free(folder);
	}
	buf_free(&text);
	buf_free(&name);
	return r;
}

void
state_close(struct state *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->log[i].path);
	free(s->cursor);
	counters_free(&s->counters);
	if (s->fd >= 0)
		close(s->fd);
}
