/* ISC licence, see LICENSE. */
#include "mail/edits.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"

enum { EDITS_FIRST = 16 };

int
edits_add(struct edits *e, size_t off, size_t del, const char *text, size_t len)
{
	const struct edit *last = e->n ? &e->v[e->n - 1] : NULL;

	if (last && off < last->off + last->del) {
		errno = EINVAL;
		return -1;
	}
	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : EDITS_FIRST;
		struct edit *v = realloc(e->v, cap * sizeof *v);

		if (!v)
			return -1;
		e->v = v;
		e->cap = cap;
	}
	if (buf_add(&e->text, text, len) < 0)
		return -1;
	e->v[e->n++] = (struct edit){ .off = off, .del = del, .text = e->text.len - len, .len = len };
	return 0;
}

int
edits_write(const struct edits *e, const char *text, size_t n, struct msgfile *m)
{
	size_t done = 0, i;

	for (i = 0; i < e->n; i++) {
		const struct edit *d = &e->v[i];

		if (msgfile_add(m, text + done, d->off - done) < 0 || msgfile_add(m, e->text.p + d->text, d->len) < 0)
			return -1;
		done = d->off + d->del;
	}
	return msgfile_add(m, text + done, n - done);
}

int
edits_file(const struct edits *e, const char *text, size_t n, int fd, off_t rest)
{
	off_t size = file_size(fd);
	struct msgfile m = { 0 };
	int out = -1, error;

	if (size >= 0 && edits_write(e, text, n, &m) == 0 && msgfile_add_file(&m, fd, rest, size - rest) == 0)
		out = msgfile_finish(&m);
	error = errno;
	msgfile_free(&m);
	errno = error;
	return out;
}

void
edits_free(struct edits *e)
{
	free(e->v);
	buf_free(&e->text);
	*e = (struct edits){ 0 };
}
