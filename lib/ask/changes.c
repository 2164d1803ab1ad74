/* ISC licence, see LICENSE. */
#include "ask/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int
fail(struct changes *c, const char *why)
{
	c->why = why;
	return -1;
}

/* Make room for another field. Returns 0, or -1. */
static int
room(struct changes *c)
{
	struct changes_field *grown;
	size_t cap = c->cap ? 2 * c->cap : 64;

	if (c->n >= CHANGES_FIELDS_MAX)
		return fail(c, "too many header fields");
	if (c->n < c->cap)
		return 0;
	grown = realloc(c->field, cap * sizeof *grown);
	if (!grown)
		return fail(c, NULL);
	c->field = grown;
	c->cap = cap;
	return 0;
}

int
changes_begin(struct changes *c, const struct header *header, const struct packet_agreed *agreed)
{
	const char *text = header->text.p;
	size_t pos = 0;
	struct field f;
	int r;

	c->header = header;
	c->agreed = agreed;
	while ((r = header_next(text, header->text.len, &pos, &f)) > 0) {
		if (room(c) < 0)
			return -1;
		c->field[c->n++] = (struct changes_field){ .off = f.name, .len = f.next - f.name, .name = f.name,
			.name_len = f.name_end - f.name };
	}
	return r < 0 ? fail(c, "a line of the header is not a field") : 0;
}

static bool
is_name(const char *s)
{
	const char *p = s;

	while (*p > ' ' && *p <= '~' && *p != ':')
		p++;
	return *s && !*p;
}

/* Append value with CRLF before each continuation and at its end. Line ends at the end of value do not count. */
static int
add_value(struct changes *c, const char *value)
{
	size_t n = strlen(value), i = 0, len;

	while (n > 0 && (value[n - 1] == '\n' || value[n - 1] == '\r'))
		n--;
	for (;;) {
		for (len = 0; i + len < n && value[i + len] != '\r' && value[i + len] != '\n'; len++)
			;
		if (i > 0 && ((value[i] != ' ' && value[i] != '\t') || strspn(value + i, " \t") >= len))
			return fail(c, "a header field with a line that does not continue it");
		if (buf_add(&c->text, value + i, len) < 0 || buf_puts(&c->text, "\r\n") < 0)
			return fail(c, NULL);
		i += len;
		if (i >= n)
			return 0;
		i += value[i] == '\r' && value[i + 1] == '\n' ? 2 : 1;
	}
}

/* What stands between the name and the value of a field that the milter gives. */
static const char *
gap_of(const struct changes *c)
{
	return c->agreed->steps & STEP_LEADING_SPACE ? ":" : ": ";
}

/* Make a field of name, gap and value in c->text. Returns 0 with *f set, or -1. */
static int
make(struct changes *c, const char *name, const char *gap, const char *value, struct changes_field *f)
{
	size_t start = c->text.len, n = strlen(name);

	if (!is_name(name))
		return fail(c, "a header field with an invalid name");
	if (start + n + 2 * strlen(value) > CHANGES_OCTETS_MAX)
		return fail(c, "too much to add to the header");
	if (buf_puts(&c->text, name) < 0 || buf_puts(&c->text, gap) < 0)
		return fail(c, NULL);
	if (add_value(c, value) < 0)
		return -1;
	*f = (struct changes_field){ .off = start, .len = c->text.len - start, .name = start, .name_len = n, .is_new = true };
	c->header_changed = true;
	return 0;
}

static int
insert(struct changes *c, size_t at, const char *name, const char *gap, const char *value)
{
	struct changes_field f;

	if (room(c) < 0 || make(c, name, gap, value, &f) < 0)
		return -1;
	if (at > c->n)
		at = c->n;
	memmove(c->field + at + 1, c->field + at, (c->n - at) * sizeof *c->field);
	c->field[at] = f;
	c->n++;
	return 0;
}

int
changes_add(struct changes *c, const char *name, const char *value)
{
	return insert(c, c->n, name, ": ", value);
}

/* Change, remove (value "") or, where there are not so many, add the field that is the index-th with this name. */
static int
change(struct changes *c, uint32_t index, const char *name, const char *value)
{
	struct changes_field f;
	uint32_t seen = 0;
	size_t i;

	if (!is_name(name))
		return fail(c, "a header field with an invalid name");
	for (i = 0; i < c->n; i++) {
		const struct changes_field *old = &c->field[i];
		const char *text = old->is_new ? c->text.p : c->header->text.p;

		if (old->name_len == strlen(name) && strncasecmp(text + old->name, name, old->name_len) == 0 &&
		    ++seen >= index)
			break;
	}
	if (i == c->n)
		return *value ? insert(c, c->n, name, gap_of(c), value) : 0;
	if (*value) {
		if (make(c, name, gap_of(c), value, &f) < 0)
			return -1;
		c->field[i] = f;
	} else
		c->field[i].is_gone = c->header_changed = true;
	return 0;
}

static int
put(struct changes *c, const char *p, size_t n)
{
	if (n == 0)
		return 0;
	if (c->body_max > 0 && c->body.size + (long long)n > c->body_max) {
		errno = EFBIG; /* for changes_write */
		return fail(c, "too large a body");
	}
	c->edge = p[n - 1];
	return msgfile_add(&c->body, p, n) < 0 ? fail(c, NULL) : 0;
}

/* Add to the new body. A CR or LF that stands alone becomes CRLF. */
static int
add_body(struct changes *c, const char *p, size_t n)
{
	size_t from = 0, i;

	c->body_replaced = true;
	for (i = 0; i < n; i++) {
		char before = i > 0 ? p[i - 1] : c->last;

		if (p[i] == '\0')
			return fail(c, "a body with a NUL");
		if ((p[i] == '\n') == (before == '\r'))
			continue;
		/* an LF without its CR, or a CR without its LF before this octet */
		if (put(c, p + from, i - from) < 0 || put(c, p[i] == '\n' ? "\r" : "\n", 1) < 0)
			return -1;
		from = i;
	}
	if (put(c, p + from, n - from) < 0)
		return -1;
	if (n > 0)
		c->last = p[n - 1];
	return 0;
}

/* End the new body with a CRLF. */
static int
end_body(struct changes *c)
{
	if (c->last == '\r')
		return put(c, "\n", 1);
	return c->edge && c->edge != '\n' ? put(c, "\r\n", 2) : 0;
}

/* Parse an address in angle brackets, or without. */
static int
parse(struct changes *c, const char *s, struct addr *a, bool may_be_empty)
{
	size_t n = strlen(s), used;

	if (*s != '<') {
		if (n == 0 && may_be_empty) {
			*a = (struct addr){ .len = 0 };
			return 0;
		}
		return addr_mailbox(s, n, a) < 0 ? fail(c, "an invalid address") : 0;
	}
	if (addr_path(s, n, a, &used) < 0 || used != n || (a->len == 0 && !may_be_empty) || (a->len > 0 && !a->has_domain))
		return fail(c, "an invalid address");
	return 0;
}

static int
add_rcpt(struct changes *c, const char *s, struct addr **list, size_t *n)
{
	struct addr a, *grown;
	size_t i;

	if (parse(c, s, &a, false) < 0)
		return -1;
	for (i = 0; i < *n; i++)
		if (strcmp((*list)[i].text, a.text) == 0)
			return 0;
	if (*n >= CHANGES_RCPTS_MAX)
		return fail(c, "too many recipients");
	grown = realloc(*list, (*n + 1) * sizeof *grown);
	if (!grown)
		return fail(c, NULL);
	*list = grown;
	grown[(*n)++] = a;
	return 0;
}

static int
set_reason(struct changes *c, const char *s)
{
	size_t n = strnlen(s, 200), i;

	c->quarantine = true;
	buf_clear(&c->reason);
	if (buf_add(&c->reason, s, n) < 0)
		return fail(c, NULL);
	for (i = 0; i < n; i++)
		if (c->reason.p[i] < ' ' || c->reason.p[i] > '~')
			c->reason.p[i] = '?';
	return 0;
}

/* Returns the action that a change belongs to; 0: none. */
static uint32_t
action_of(char letter)
{
	switch (letter) {
	case ANSWER_ADD_HEADER:
	case ANSWER_INSERT_HEADER:
		return ACTION_ADD_HEADERS;
	case ANSWER_CHANGE_HEADER:
		return ACTION_CHANGE_HEADERS;
	case ANSWER_CHANGE_FROM:
		return ACTION_FROM;
	case ANSWER_ADD_RCPT:
		return ACTION_ADD_RCPT;
	case ANSWER_ADD_RCPT_PARAMS:
		return ACTION_ADD_RCPT_PARAMS;
	case ANSWER_DELETE_RCPT:
		return ACTION_DELETE_RCPT;
	case ANSWER_REPLACE_BODY:
		return ACTION_BODY;
	case ANSWER_QUARANTINE:
		return ACTION_QUARANTINE;
	default:
		return 0;
	}
}

int
changes_take(struct changes *c, const struct packet *packet)
{
	static const char incomplete[] = "a change without its parts";
	struct packet p = *packet;
	const char *name, *value;
	uint32_t index = 0;

	if (!(action_of(p.letter) & c->agreed->actions))
		return fail(c, "a change that was not agreed on");
	if (p.letter == ANSWER_REPLACE_BODY)
		return add_body(c, p.data, p.len);
	if ((p.letter == ANSWER_INSERT_HEADER || p.letter == ANSWER_CHANGE_HEADER) && packet_take_number(&p, &index) < 0)
		return fail(c, incomplete);
	if (packet_take_string(&p, &name) < 0)
		return fail(c, incomplete);
	switch (p.letter) {
	case ANSWER_ADD_RCPT:
	case ANSWER_ADD_RCPT_PARAMS:
		return add_rcpt(c, name, &c->added, &c->nadded);
	case ANSWER_DELETE_RCPT:
		return add_rcpt(c, name, &c->removed, &c->nremoved);
	case ANSWER_CHANGE_FROM:
		c->from_changed = true;
		return parse(c, name, &c->from, true);
	case ANSWER_QUARANTINE:
		return set_reason(c, name);
	default:
		break;
	}
	if (packet_take_string(&p, &value) < 0)
		return fail(c, incomplete);
	if (p.letter == ANSWER_CHANGE_HEADER)
		return change(c, index, name, value);
	return insert(c, p.letter == ANSWER_INSERT_HEADER ? index : c->n, name, gap_of(c), value);
}

int
changes_write(struct changes *c, struct msgfile *m, int fd, long long size)
{
	long long old = (long long)c->header->text.len;
	size_t i;
	int body, r;

	for (i = 0; i < c->n; i++) {
		const struct changes_field *f = &c->field[i];

		if (!f->is_gone && msgfile_add(m, (f->is_new ? c->text.p : c->header->text.p) + f->off, f->len) < 0)
			return -1;
	}
	if (!c->body_replaced)
		return size > old ? msgfile_add_file(m, fd, old, size - old) : 0;
	if (end_body(c) < 0 || msgfile_add(m, "\r\n", 2) < 0)
		return -1;
	size = c->body.size;
	body = msgfile_finish(&c->body);
	if (body < 0)
		return -1;
	r = msgfile_add_file(m, body, 0, size);
	close(body);
	return r;
}

void
changes_free(struct changes *c)
{
	free(c->field);
	free(c->added);
	free(c->removed);
	buf_free(&c->text);
	buf_free(&c->reason);
	msgfile_free(&c->body);
	*c = (struct changes){ .header = NULL };
}
