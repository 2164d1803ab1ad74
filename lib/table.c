/* ISC licence, see LICENSE. */
#include "table.h"

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
	close(fd); /* the mapping is all that a look-up needs */
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

int
table_get_user(struct table *t, const char *user, const char **value, size_t *len)
{
	static const char anyone[] = "*", no_user[] = "-";
	int r = 0;

	if (!user)
		return table_get(t, no_user, 1, value, len);
	if (strlen(user) > TABLE_KEY_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (strcmp(user, anyone) != 0 && strcmp(user, no_user) != 0) /* whoever has such a name: it is no key of his */
		r = table_get_lower(t, user, strlen(user), value, len);
	return r != 0 ? r : table_get(t, anyone, 1, value, len);
}

bool
table_is_user_key(const char *key, size_t n)
{
	size_t i;

	for (i = 0; i < n && (key[i] < 'A' || key[i] > 'Z'); i++)
		;
	return i == n;
}

int
table_next(struct table *t, unsigned *pos, const char **key, size_t *key_len, const char **value, size_t *len)
{
	int r;

	if (*pos == 0)
		cdb_seqinit(pos, &t->cdb);
	r = cdb_seqnext(pos, &t->cdb);
	if (r <= 0)
		return r < 0 ? -1 : 0;
	*key = cdb_getkey(&t->cdb);
	*key_len = cdb_keylen(&t->cdb);
	*value = cdb_getdata(&t->cdb);
	*len = cdb_datalen(&t->cdb);
	return *key && *value ? 1 : -1;
}

const char *
table_item(const char **p, const char *end, size_t *len)
{
	static const char between[] = { ' ', '\t', '\r', '\n', ',' };
	const char *item;

	while (*p < end && memchr(between, **p, sizeof between))
		++*p;
	item = *p;
	while (*p < end && !memchr(between, **p, sizeof between))
		++*p;
	*len = (size_t)(*p - item);
	return *len > 0 ? item : NULL;
}

void
table_close(struct table *t)
{
	cdb_free(&t->cdb);
}
