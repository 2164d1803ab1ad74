/* ISC licence, see LICENSE. */
#include "mail/draft.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "msa/msgfile.h"

enum { PART = 65536 };

/* What has been read, up to here. */
struct reading {
	struct draft *d;
	struct msgfile m;
	size_t line; /* the number of the current line */
	char last;   /* the octet before */
};

static void
note_bare(struct reading *r)
{
	if (r->d->bare == 0)
		r->d->bare = r->line;
}

/* Append n octets of a line, without its LF. */
static int
add_octets(struct reading *r, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\0' || r->last == '\r')
			note_bare(r);
		r->d->is_8bit |= (unsigned char)p[i] > 127;
		r->last = p[i];
	}
	return msgfile_add(&r->m, p, n);
}

static int
end_line(struct reading *r)
{
	const char *end = r->last == '\r' ? "\n" : "\r\n";

	r->last = '\n';
	r->line++;
	return msgfile_add(&r->m, end, strlen(end));
}

/* Append n octets. Returns 0, or -1 with errno set. */
static int
add(struct reading *r, const char *p, size_t n)
{
	while (n > 0) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) : n;

		if (add_octets(r, p, len) < 0 || (lf && end_line(r) < 0))
			return -1;
		len += lf != NULL;
		p += len;
		n -= len;
	}
	if (r->d->max == 0 || r->m.size <= r->d->max)
		return 0;
	errno = EFBIG;
	return -1;
}

int
draft_read(struct draft *d, int fd)
{
	struct reading r = { .d = d, .line = 1, .last = '\n' };
	char part[PART];
	int result = -1, e;
	ssize_t n;

	d->is_8bit = false;
	d->bare = 0;
	while ((n = read(fd, part, sizeof part)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || add(&r, part, (size_t)n) < 0)
			goto out;
	}
	if (r.last == '\r')
		note_bare(&r);
	if (r.last != '\n' && add(&r, "\n", 1) < 0)
		goto out;
	result = msgfile_finish(&r.m);
out:
	e = errno;
	msgfile_free(&r.m);
	errno = e;
	return result;
}
