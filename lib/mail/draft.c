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
	bool is_over; /* the line of a single dot has come */
};

enum dot { DOT_NO, DOT_PERHAPS, DOT_YES };

/* Are the n octets at p, where a line begins, the line that ends the message? The rest of it may not have come yet. */
static enum dot
ends_at(const struct reading *r, const char *p, size_t n)
{
	static const char line[] = ".\r\n";
	size_t i;

	if (!r->d->ends_at_dot || r->last != '\n')
		return DOT_NO;
	for (i = 0; i < n && i < sizeof line - 1 && p[i] == line[i]; i++)
		;
	if (i == sizeof line - 1 || (i == 1 && n > 1 && p[1] == '\n'))
		return DOT_YES;
	return i == n ? DOT_PERHAPS : DOT_NO;
}

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

/*
 * Append n octets, and set *used to the number of those that were taken: not the start of what may be the line that
 * ends the message, nor what follows that line. Returns 0, or -1 with errno set.
 */
static int
add(struct reading *r, const char *p, size_t n, size_t *used)
{
	const char *start = p;

	*used = n;
	while (n > 0) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) : n;
		enum dot dot = ends_at(r, p, n);

		if (dot != DOT_NO) {
			*used = (size_t)(p - start);
			r->is_over = dot == DOT_YES;
			break;
		}
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
	size_t have = 0, used; /* have: octets in front of part that were not taken, at most two */
	char part[PART];
	int result = -1, e;
	ssize_t n;

	d->is_8bit = false;
	d->bare = 0;
	while (!r.is_over && (n = read(fd, part + have, sizeof part - have)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || add(&r, part, have + (size_t)n, &used) < 0)
			goto out;
		have += (size_t)n - used;
		if (!r.is_over)
			memmove(part, part + used, have);
	}
	if (r.last == '\r')
		note_bare(&r);
	if (r.last != '\n' && end_line(&r) < 0)
		goto out;
	result = msgfile_finish(&r.m);
out:
	e = errno;
	msgfile_free(&r.m);
	errno = e;
	return result;
}
