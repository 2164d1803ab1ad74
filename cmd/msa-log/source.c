/* ISC licence, see LICENSE. */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 8 }; /* octets of the size of a binary field */

int
source_open(struct source *s, int fd, off_t offset, int64_t now)
{
	*s = (struct source){ .fd = fd, .offset = offset };
	logwrap_open(&s->wrap, now);
	s->entry.us = -1;
	s->buf = malloc(SOURCE_BUFFER);
	return s->buf ? 0 : -1;
}

void
source_close(struct source *s)
{
	free(s->buf);
	s->buf = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void
consume(struct source *s, size_t n)
{
	s->begin += n;
	s->offset += (off_t)n;
}

/* The beginning of a log: what form has it, and whose are the labels? */
static void
look(struct source *s)
{
	static const char cursor[] = "__CURSOR=";

	s->begun = true;
	s->entry.on = s->end >= sizeof cursor - 1 && memcmp(s->buf, cursor, sizeof cursor - 1) == 0;
	if (!s->entry.on)
		logwrap_learn(&s->wrap, s->buf, s->end);
}

/* Read more into the buffer, which has room. Returns 1, 0 (the end), or -1 with errno set. */
static int
fill(struct source *s)
{
	ssize_t n;

	if (s->begin > 0) {
		memmove(s->buf, s->buf + s->begin, s->end - s->begin);
		s->end -= s->begin;
		s->begin = 0;
	}
	do
		n = read(s->fd, s->buf + s->end, SOURCE_BUFFER - s->end);
	while (n < 0 && errno == EINTR);
	s->over = n == 0;
	if (n <= 0)
		return (int)n;
	s->end += (size_t)n;
	if (!s->begun)
		look(s);
	return 1;
}

/* Take the value of a field of an entry, if it is this one. */
static bool
is_field(const char *name, const char *s, size_t n, const char **value, size_t *len)
{
	size_t k = strlen(name);

	if (n <= k || memcmp(name, s, k) != 0 || s[k] != '=')
		return false;
	*value = s + k + 1;
	*len = n - k - 1;
	return true;
}

static void
keep(char *to, size_t cap, const char *value, size_t n)
{
	if (n >= cap) /* it is not one of ours */
		n = 0;
	memcpy(to, value, n);
	to[n] = '\0';
}

static int64_t
microseconds(const char *s, size_t n)
{
	int64_t us = 0;

	for (; n > 0 && *s >= '0' && *s <= '9' && us < INT64_MAX / 100; s++, n--)
		us = us * 10 + (*s - '0');
	return n == 0 ? us : -1;
}

/* Take a line of an entry; those in the middle are SOURCE_END. */
static enum source_result
take_entry(struct source *s, struct logline *l, const char *text, size_t n)
{
	const char *value;
	size_t len;
	bool ours, had;

	if (s->entry.is_over) { /* what was returned of the last one pointed into it */
		s->entry.is_over = s->entry.has_message = false;
		s->entry.us = -1;
		s->entry.n = 0;
		*s->entry.name = '\0';
	}
	if (is_field("MESSAGE", text, n, &value, &len)) {
		s->entry.has_message = true;
		s->entry.n = len <= LOG_LINE_MAX ? len : 0;
		memcpy(s->entry.message, value, s->entry.n);
	} else if (is_field("SYSLOG_IDENTIFIER", text, n, &value, &len))
		keep(s->entry.name, sizeof s->entry.name, value, len);
	else if (is_field("__CURSOR", text, n, &value, &len))
		keep(s->entry.cursor, sizeof s->entry.cursor, value, len);
	else if (is_field("__REALTIME_TIMESTAMP", text, n, &value, &len))
		s->entry.us = microseconds(value, len);
	if (n > 0)
		return SOURCE_END;
	had = s->entry.has_message;
	s->entry.is_over = true;
	ours = had && (logline_parse(l, s->entry.message, s->entry.n) || logline_parse_rest(l,
	    (struct logline_text){ s->entry.name, strlen(s->entry.name) }, s->entry.message, s->entry.n));
	if (ours && s->entry.us >= 0) {
		l->us = s->entry.us;
		l->guessed = false;
	}
	return ours ? SOURCE_LINE : had ? SOURCE_OTHER : SOURCE_END;
}

/* A line without "=" in an entry is the name of a field with any octets; its size and the octets follow. */
static bool
is_binary(const struct source *s, size_t n)
{
	return s->entry.on && n > 0 && !memchr(s->buf + s->begin, '=', n);
}

/* Read over the octets of a binary field. Returns false if they are not all there yet. */
static bool
skip(struct source *s)
{
	size_t n = s->end - s->begin;

	if (n > s->entry.skip)
		n = (size_t)s->entry.skip;
	consume(s, n);
	s->entry.skip -= n;
	return s->entry.skip == 0;
}

/* Begin to read over a binary field whose name has n octets. Returns false if its size is not there yet. */
static bool
begin_skip(struct source *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s->buf + s->begin + n + 1;
	int i;

	if (s->end - s->begin < n + 1 + SIZE)
		return false;
	s->entry.skip = 0;
	for (i = SIZE - 1; i >= 0; i--)
		s->entry.skip = s->entry.skip << 8 | p[i];
	if (s->entry.skip < UINT64_MAX)
		s->entry.skip++; /* the LF */
	if (n == 7 && memcmp(s->buf + s->begin, "MESSAGE", 7) == 0) {
		s->entry.has_message = true; /* and it is none of ours */
		s->entry.n = 0;
	}
	consume(s, n + 1 + SIZE);
	return true;
}

static enum source_result
count(struct source *s, enum source_result r)
{
	s->lines += r == SOURCE_LINE;
	s->others += r == SOURCE_OTHER;
	return r;
}

/* Take the line of n octets that begins the buffer. */
static enum source_result
take(struct source *s, struct logline *l, size_t n, bool has_lf)
{
	const char *text = s->buf + s->begin;

	consume(s, n + has_lf);
	if (s->skipping) {
		s->skipping = false;
		s->long_lines++;
		return SOURCE_OTHER;
	}
	if (s->entry.on)
		return count(s, take_entry(s, l, text, n));
	return count(s, logwrap_parse(&s->wrap, l, text, n) ? SOURCE_LINE : SOURCE_OTHER);
}

enum source_result
source_next(struct source *s, struct logline *l, bool last)
{
	enum source_result r;
	const char *lf;
	size_t n;
	int more;

	for (;;) {
		lf = NULL;
		if (s->entry.skip == 0 || skip(s)) {
			lf = s->end > s->begin ? memchr(s->buf + s->begin, '\n', s->end - s->begin) : NULL;
			n = lf ? (size_t)(lf - s->buf) - s->begin : 0;
			if (lf && is_binary(s, n)) {
				if (begin_skip(s, n))
					continue;
				lf = NULL;
			}
		}
		if (lf) {
			r = take(s, l, n, true);
			if (r != SOURCE_END)
				return r;
			continue;
		}
		if (s->end - s->begin == SOURCE_BUFFER) { /* no LF in all of it */
			s->skipping = true;
			consume(s, SOURCE_BUFFER);
		}
		more = fill(s);
		if (more < 0)
			return SOURCE_ERROR;
		if (more == 0 && last && s->end > s->begin) {
			r = take(s, l, s->end - s->begin, false);
			if (r != SOURCE_END)
				return r;
		}
		if (more == 0)
			return SOURCE_END;
	}
}
