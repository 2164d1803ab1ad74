/* ISC licence, see LICENSE. */
#include "changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "mail/header.h"

enum {
	CELLS_MAX = 1000000, /* of the table that finds the fields that stay */
	PART = 16384,
};

/* The fields of a header. */
struct fields {
	struct header header;
	struct field *v; /* owned */
	size_t n;
	const char *text;
};

static void
fields_free(struct fields *f)
{
	header_free(&f->header);
	free(f->v);
}

/* Read the header. A line that is no field is one with a name only. Returns 0, or -1 with errno set. */
static int
fields_read(struct fields *f, int fd)
{
	struct field one, *grown;
	size_t pos = 0;
	int more;

	switch (header_read(&f->header, fd, HEADER_MAX)) {
	case HEADER_LONG:
		errno = EFBIG;
		return -1;
	case HEADER_ERROR:
		return -1;
	case HEADER_OK:
		break;
	}
	f->text = f->header.text.p ? f->header.text.p : "";
	while ((more = header_next(f->text, f->header.text.len, &pos, &one)) != 0) {
		if (more < 0) {
			one.name_end = one.name;
			one.end = one.next;
		}
		grown = f->n % 64 == 0 ? realloc(f->v, (f->n + 64) * sizeof *grown) : f->v;
		if (!grown)
			return -1;
		f->v = grown;
		f->v[f->n++] = one;
	}
	return 0;
}

static size_t
length(const struct field *f)
{
	return f->end - f->name;
}

static bool
is_same(const struct fields *a, size_t i, const struct fields *b, size_t k)
{
	return length(&a->v[i]) == length(&b->v[k]) &&
	    memcmp(a->text + a->v[i].name, b->text + b->v[k].name, length(&a->v[i])) == 0;
}

static bool
has_same_name(const struct fields *a, size_t i, const struct fields *b, size_t k)
{
	size_t n = a->v[i].name_end - a->v[i].name;

	return n > 0 && n == b->v[k].name_end - b->v[k].name &&
	    strncasecmp(a->text + a->v[i].name, b->text + b->v[k].name, n) == 0;
}

/* What becomes of the fields that are not in both headers, in their order. */
struct difference {
	bool *gone, *come; /* owned; of the fields before and after */
};

/*
 * Mark the fields of a[i..n) and b[k..m) that are not in a longest common sequence of both. Returns 0, or -1 with errno
 * set (ENOMEM; E2BIG).
 */
static int
mark(struct difference *d, const struct fields *a, size_t i, size_t n, const struct fields *b, size_t k, size_t m)
{
	size_t rows = n - i, columns = m - k, x, y;
	unsigned *longest;

	if (rows > 0 && columns > CELLS_MAX / rows) {
		errno = E2BIG;
		return -1;
	}
	longest = calloc((rows + 1) * (columns + 1), sizeof *longest);
	if (!longest)
		return -1;
#define AT(r, c) longest[(r) * (columns + 1) + (c)]
	for (x = rows; x-- > 0;)
		for (y = columns; y-- > 0;)
			AT(x, y) = is_same(a, i + x, b, k + y) ? AT(x + 1, y + 1) + 1 :
			    AT(x + 1, y) > AT(x, y + 1) ? AT(x + 1, y) : AT(x, y + 1);
	for (x = y = 0; x < rows || y < columns;)
		if (x < rows && y < columns && is_same(a, i + x, b, k + y)) {
			x++;
			y++;
		} else if (y == columns || (x < rows && AT(x + 1, y) >= AT(x, y + 1)))
			d->gone[i + x++] = true;
		else
			d->come[k + y++] = true;
#undef AT
	free(longest);
	return 0;
}

static void
say_field(const struct say *s, const char *what, const struct fields *f, size_t i)
{
	char text[SAY_TEXT];

	say_line(s, "%s%s", what, say_text(text, f->text + f->v[i].name, length(&f->v[i])));
}

/* Say what is marked: a field that is dropped and added again has moved, and one of the same name has changed. */
static void
say_marked(const struct say *s, struct difference *d, const struct fields *a, const struct fields *b)
{
	size_t i, k;

	for (i = 0; i < a->n; i++) {
		if (!d->gone[i])
			continue;
		for (k = 0; k < b->n && !(d->come[k] && is_same(a, i, b, k)); k++)
			;
		if (k < b->n) {
			say_field(s, "Moves the field ", a, i);
			d->come[k] = false;
			continue;
		}
		for (k = 0; k < b->n && !(d->come[k] && has_same_name(a, i, b, k)); k++)
			;
		say_field(s, k < b->n ? "Changes the field " : "Drops the field ", a, i);
		if (k < b->n) {
			say_field(s, "into the field ", b, k);
			d->come[k] = false;
		}
	}
	for (k = 0; k < b->n; k++)
		if (d->come[k])
			say_field(s, "Adds the field ", b, k);
}

static int
say_headers(const struct say *s, const struct fields *a, const struct fields *b)
{
	struct difference d = { calloc(a->n + 1, sizeof(bool)), calloc(b->n + 1, sizeof(bool)) };
	size_t head = 0, n = a->n, m = b->n;
	int result = -1;

	while (head < n && head < m && is_same(a, head, b, head))
		head++;
	while (n > head && m > head && is_same(a, n - 1, b, m - 1)) {
		n--;
		m--;
	}
	if (d.gone && d.come && mark(&d, a, head, n, b, head, m) == 0) {
		say_marked(s, &d, a, b);
		result = head < n || head < m;
	} else if (d.gone && d.come && errno == E2BIG) {
		say_line(s, "Changes the header in very many places.");
		result = 1;
	}
	free(d.gone);
	free(d.come);
	return result;
}

/* Returns 1 if the texts after the headers are alike, 0 if not, or -1 with errno set. */
static int
is_same_text(int a, off_t from, int b, off_t other)
{
	char left[PART], right[PART];
	off_t n = file_size(a) - from, at;

	if (n != file_size(b) - other)
		return 0;
	for (at = 0; at < n; at += PART) {
		size_t part = n - at < PART ? (size_t)(n - at) : PART;

		if (file_read(a, left, part, from + at) < 0 || file_read(b, right, part, other + at) < 0)
			return -1;
		if (memcmp(left, right, part) != 0)
			return 0;
	}
	return 1;
}

/* The octets of the text, without the empty line in front of it. */
static long long
octets(int fd, off_t header)
{
	const long long n = (long long)(file_size(fd) - header), line = 2;

	return n > line ? n - line : 0;
}

static int
say_text_of(const struct say *s, int before, const struct fields *a, int after, const struct fields *b)
{
	off_t from = (off_t)a->header.text.len, other = (off_t)b->header.text.len;
	int same = is_same_text(before, from, after, other);

	if (same == 0)
		say_line(s, "Changes the text, which had %lld octets and has %lld now.", octets(before, from),
		    octets(after, other));
	return same < 0 ? -1 : !same;
}

int
changes_of_message(const struct say *s, int before, int after)
{
	struct fields a = { .n = 0 }, b = { .n = 0 };
	int header = -1, text = -1;

	if (fields_read(&a, before) == 0 && fields_read(&b, after) == 0) {
		header = say_headers(s, &a, &b);
		if (header >= 0)
			text = say_text_of(s, before, &a, after, &b);
	}
	fields_free(&a);
	fields_free(&b);
	return header < 0 || text < 0 ? -1 : header || text;
}

/* Say what becomes of a line of which only the address or the parameters may have changed. */
static bool
say_address(const struct say *s, const char *what, const struct envelope_line *a, const struct envelope_line *b)
{
	bool moved = a->path_len != b->path_len || memcmp(a->path, b->path, a->path_len) != 0;
	bool more = strcmp(a->params, b->params) != 0;
	char from[SAY_TEXT], to[SAY_TEXT];

	if (moved)
		say_line(s, "Changes the %s <%s> to <%s>.", what, say_text(from, a->path, a->path_len),
		    say_text(to, b->path, b->path_len));
	if (more)
		say_line(s, "Changes the parameters of the %s <%s> from \"%s\" to \"%s\".", what,
		    say_text((char[SAY_TEXT]){ 0 }, b->path, b->path_len), say_text(from, a->params, strlen(a->params)),
		    say_text(to, b->params, strlen(b->params)));
	return moved || more;
}

static bool
say_rcpt(const struct say *s, const struct envelope_line *a, const struct envelope_line *b)
{
	char from[SAY_TEXT], to[SAY_TEXT];

	if (strcmp(a->text, b->text) == 0)
		return false;
	if (a->kind == ENVELOPE_RCPT && b->kind == ENVELOPE_RCPT)
		return say_address(s, "recipient", a, b);
	say_line(s, b->kind == ENVELOPE_REPLY ? "Refuses the recipient %s: %s" : "Changes the recipient %s to %s",
	    say_text(from, a->kind == ENVELOPE_RCPT ? a->path : a->text,
	        a->kind == ENVELOPE_RCPT ? a->path_len : strlen(a->text)),
	    say_text(to, b->text, strlen(b->text)));
	return true;
}

static bool
has_line(const struct envelope *e, const struct envelope_line *l)
{
	size_t i;

	for (i = 0; i < e->nrcpt + e->ncopy && strcmp(e->rcpt[i].text, l->text) != 0; i++)
		;
	return i < e->nrcpt + e->ncopy;
}

/* Say which copies, or in a part which recipients, of a are not in b. */
static bool
say_missing(const struct say *s, const char *what, const struct envelope *a, size_t i, size_t n,
    const struct envelope *b)
{
	char text[SAY_TEXT];
	bool any = false;

	for (; i < n; i++)
		if (!has_line(b, &a->rcpt[i])) {
			say_line(s, "%s %s", what, say_text(text, a->rcpt[i].text, strlen(a->rcpt[i].text)));
			any = true;
		}
	return any;
}

int
changes_of_envelope(const struct say *s, const struct envelope *before, const struct envelope *after)
{
	bool any = say_address(s, "sender", &before->mail, &after->mail);
	size_t i;

	if (before->nrcpt != after->nrcpt) {
		say_line(s, "Hands the message on for %zu of the %zu recipients.", after->nrcpt, before->nrcpt);
		any = true;
	}
	for (i = 0; before->nrcpt == after->nrcpt && i < before->nrcpt; i++)
		any |= say_rcpt(s, &before->rcpt[i], &after->rcpt[i]);
	any |= say_missing(s, "Drops the line", before, before->nrcpt, before->nrcpt + before->ncopy, after);
	any |= say_missing(s, "Adds the line", after, after->nrcpt, after->nrcpt + after->ncopy, before);
	return any;
}

/* Returns true if the fact is one of each message, or of nobody. */
static bool
is_own(const char *name)
{
	return facts_owner(name) == FACTS_NOBODY || strcmp(name, "MSA_MESSAGE") == 0 || strcmp(name, "MSA_RCPTS") == 0 ||
	    strcmp(name, "MSA_DEADLINE") == 0;
}

int
changes_of_facts(const struct say *s, const struct facts *before, const struct facts *after)
{
	char name[64], text[SAY_TEXT];
	const char *was, *is;
	bool any = false;
	size_t i, len;

	for (i = 0; i < before->n + after->n; i++) {
		const char *fact = i < before->n ? before->v[i] : after->v[i - before->n];

		len = strcspn(fact, "=");
		if (len >= sizeof name)
			continue;
		memcpy(name, fact, len);
		name[len] = '\0';
		was = facts_get(before, name);
		is = facts_get(after, name);
		if (is_own(name) || (i >= before->n && was) || (was && is && strcmp(was, is) == 0))
			continue;
		if (is)
			say_line(s, "Sets %s to \"%s\".", name, say_text(text, is, strlen(is)));
		else
			say_line(s, "Unsets %s.", name);
		any = true;
	}
	return any;
}
