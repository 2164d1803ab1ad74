/* ISC licence, see LICENSE. */
#include "base/table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CDB_TABLES = 256 };

static struct table_file
file_from(int r, struct stat *st)
{
	if (r < 0)
		memset(st, 0, sizeof *st);
	return (struct table_file){ st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

struct table_file
table_file_look(const char *path)
{
	struct stat st;

	return file_from(stat(path, &st), &st);
}

struct table_file
table_file_of(int fd)
{
	struct stat st;

	return file_from(fstat(fd, &st), &st);
}

static bool
is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
table_file_is_same(const struct table_file *a, const struct table_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && is_same_time(&a->mtime, &b->mtime);
}

/* The failure is the process's and not the file's: another attempt may succeed. */
static bool
is_passing(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

/* Returns true if the hash tables, which end a cdb file, are all there: in a file that was cut off keys are missing. */
static bool
is_whole(const struct cdb *cdb)
{
	const unsigned char *head = cdb_get(cdb, CDB_TABLES * 8, 0); /* for each, where it is and how many slots it has */
	unsigned i, slots;

	for (i = 0; head && i < CDB_TABLES; i++, head += 8) {
		slots = cdb_unpack(head + 4);
		if (slots > UINT_MAX / 8 || !cdb_get(cdb, slots * 8, cdb_unpack(head)))
			return false;
	}
	return head;
}

int
table_open(struct table *t, const char *path)
{
	int fd, r = -1, e;

	*t = (struct table){ .path = path, .file = table_file_look(path) };
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		t->file = table_file_of(fd);
		r = cdb_init(&t->cdb, fd);
		if (r == 0 && !is_whole(&t->cdb)) {
			cdb_free(&t->cdb);
			errno = EPROTO;
			r = -1;
		}
	}
	e = errno;
	if (fd >= 0)
		close(fd); /* the mapping is all that a look-up needs */
	errno = e;
	t->error = r < 0 ? e : 0;
	return r < 0 ? -1 : 0;
}

bool
table_changed(const struct table *t)
{
	struct table_file now = table_file_look(t->path);

	return !table_file_is_same(&now, &t->file) &&
	    !(t->has_refused && table_file_is_same(&now, &t->refused) && is_same_time(&now.ctime, &t->refused.ctime));
}

void
table_replace(struct table *t, const struct table *fresh)
{
	table_close(t);
	*t = *fresh;
}

void
table_refuse(struct table *t, const struct table *fresh)
{
	t->has_refused = !is_passing(fresh->error);
	t->refused = fresh->file;
}

const char *
table_why(int error)
{
	return error == EPROTO ? "not a cdb file" : strerror(error);
}

int
table_get(struct table *t, const char *key, size_t n, const char **value, size_t *len)
{
	const void *data;
	int r;

	if (n > TABLE_KEY_MAX)
		return 0;
	r = cdb_find(&t->cdb, key, (unsigned)n);
	if (r <= 0)
		return r < 0 ? -1 : 0;
	data = cdb_getdata(&t->cdb);
	if (!data)
		return -1;
	if (value)
		*value = data;
	if (len)
		*len = cdb_datalen(&t->cdb);
	return 1;
}

int
table_get_lower(struct table *t, const char *key, size_t n, const char **value, size_t *len)
{
	char lower[TABLE_KEY_MAX];
	size_t i;

	if (n > sizeof lower)
		return 0;
	for (i = 0; i < n; i++)
		lower[i] = key[i] >= 'A' && key[i] <= 'Z' ? (char)(key[i] + 32) : key[i];
	return table_get(t, lower, n, value, len);
}

void
table_close(struct table *t)
{
	cdb_free(&t->cdb);
}
