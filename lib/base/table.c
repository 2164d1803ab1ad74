/* ISC licence, see LICENSE. */
#include "base/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int
table_open(struct table *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r, e;

	if (fd < 0)
		return -1;
	t->path = path;
	r = fstat(fd, &t->st);
	if (r == 0)
		r = cdb_init(&t->cdb, fd);
	e = errno;
	close(fd); /* a look-up needs only the mapping */
	errno = e;
	return r < 0 ? -1 : 0;
}

bool
table_changed(struct table *t)
{
	struct stat st;

	if (stat(t->path, &st) < 0)
		memset(&st, 0, sizeof st);
	if (st.st_ino == t->st.st_ino && st.st_dev == t->st.st_dev && st.st_size == t->st.st_size &&
	    st.st_mtim.tv_sec == t->st.st_mtim.tv_sec && st.st_mtim.tv_nsec == t->st.st_mtim.tv_nsec)
		return false;
	t->st = st;
	return true;
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
