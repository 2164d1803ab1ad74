/* ISC licence, see LICENSE. */
#include "chain/verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "chain/limits.h"

enum { TEXT_SHORT = 400 }; /* octets kept of a reply's text when replies are shortened */

/* The effect of an exit code on the replies, chain(7) Verdict. */
enum weight { WEIGHT_TAKE, WEIGHT_REFUSE, WEIGHT_LATER, WEIGHT_FAULT };

static const struct {
	int status;
	enum weight weight;
} exit_codes[] = {
	{ CHAIN_DONE, WEIGHT_TAKE },
	{ CHAIN_REFUSED, WEIGHT_REFUSE },
	{ CHAIN_LATER, WEIGHT_LATER },
	{ 65, WEIGHT_REFUSE }, /* sysexits: EX_DATAERR */
	{ 67, WEIGHT_REFUSE }, /* EX_NOUSER */
	{ 68, WEIGHT_REFUSE }, /* EX_NOHOST */
	{ 77, WEIGHT_REFUSE }, /* EX_NOPERM */
};

static enum weight
weigh(int status)
{
	size_t i;

	for (i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
		if (exit_codes[i].status == status)
			return exit_codes[i].weight;
	return WEIGHT_FAULT;
}

/* The replies in the text. At most max + 1 are kept, which is enough to see that there are too many. */
struct parsed {
	struct reply_foreign *reply;
	size_t cap;
	size_t n;
	bool bad; /* a line is not a reply, or the last reply is unfinished */
};

static void
parsed_free(struct parsed *p)
{
	size_t i;

	for (i = 0; p->reply && i < p->cap; i++) /* reply[n] may be an unfinished one */
		reply_foreign_free(&p->reply[i]);
	free(p->reply);
}

static int
parse(struct parsed *p, const char *text, size_t len, size_t max)
{
	bool open = false; /* in a multi-line reply */

	p->cap = max + 1;
	p->reply = calloc(p->cap, sizeof *p->reply);
	if (!p->reply)
		return -1;
	while (len > 0) {
		const char *lf = memchr(text, '\n', len), *rest;
		size_t line = lf ? (size_t)(lf - text) : len, skip = lf ? line + 1 : line, restlen;
		int code;
		bool last;

		if (line > 0 && text[line - 1] == '\r')
			line--;
		if (!reply_line(text, line, &code, &last, &rest, &restlen)) {
			p->bad = true;
			return 0;
		}
		if (p->n > max)
			return 0;
		if (reply_take(&p->reply[p->n], code, rest, restlen) < 0) {
			if (errno == ENOMEM)
				return -1;
			p->bad = true;
			return 0;
		}
		open = !last;
		p->n += last;
		text += skip;
		len -= skip;
	}
	p->bad = open;
	return 0;
}

/* Give all n recipients the same reply. */
static int
fill(struct verdict *v, enum reply r)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (reply_set(&v->reply[i], r, NULL) < 0)
			return -1;
	return 0;
}

/* Take the replies as they are: one for all recipients, or one for each. */
static int
take(struct verdict *v, const struct parsed *p)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (reply_copy(&v->reply[i], &p->reply[p->n == 1 ? 0 : i]) < 0 || reply_translate(&v->reply[i]) < 0)
			return -1;
	return 0;
}

/* The exit code refuses: a 2yz becomes 451. If there are neither one nor n replies, the first is for all recipients. */
static int
refuse(struct verdict *v, struct parsed *p, enum reply otherwise)
{
	size_t i;

	if (p->bad || p->n == 0) {
		if (p->bad)
			v->why = "exit code refuses, with text that is no reply";
		else if (otherwise == REPLY_LOCAL_ERROR)
			v->why = "exit code says later, without a reply";
		return fill(v, otherwise);
	}
	for (i = 0; i < p->n; i++)
		if (p->reply[i].code < 300) {
			v->why = "exit code refuses what a reply accepts";
			reply_foreign_free(&p->reply[i]);
			if (reply_set(&p->reply[i], REPLY_LOCAL_ERROR, NULL) < 0)
				return -1;
		}
	if (p->n != 1 && p->n != v->n) {
		v->why = "exit code refuses, with a wrong number of replies";
		while (p->n > 1)
			reply_foreign_free(&p->reply[--p->n]);
	}
	return take(v, p);
}

static int
judge(struct verdict *v, struct parsed *p, enum verdict_end end, int status)
{
	enum weight w = end == VERDICT_EXIT ? weigh(status) : WEIGHT_TAKE;

	switch (end) {
	case VERDICT_LATE:
		v->why = "deadline passed";
		return fill(v, REPLY_LATE);
	case VERDICT_SIGNAL:
		v->why = "ended by a signal";
		return fill(v, REPLY_LOCAL_ERROR);
	case VERDICT_CUT:
		v->why = "output ended without a closing dot";
		return fill(v, REPLY_LOCAL_ERROR);
	case VERDICT_DOT:
	case VERDICT_EXIT:
		break;
	}
	switch (w) {
	case WEIGHT_REFUSE:
		return refuse(v, p, REPLY_REFUSED);
	case WEIGHT_LATER:
		return refuse(v, p, REPLY_LOCAL_ERROR);
	case WEIGHT_FAULT:
		v->why = status == 126 || status == 127 ? "program could not be run" : "unexpected exit code";
		return fill(v, REPLY_LOCAL_ERROR);
	case WEIGHT_TAKE:
		break;
	}
	v->why = p->bad ? "a line that is no reply" : p->n == 0 ? "no reply" : "wrong number of replies";
	if (p->bad || (p->n != 1 && p->n != v->n))
		return fill(v, REPLY_LOCAL_ERROR);
	v->why = NULL;
	return take(v, p);
}

int
verdict_judge(struct verdict *v, const char *text, size_t len, enum verdict_end end, int status, size_t n)
{
	struct parsed p = { 0 };
	int r;

	*v = (struct verdict){ .reply = calloc(n ? n : 1, sizeof *v->reply), .n = n };
	r = v->reply && parse(&p, text, len, n) == 0 ? judge(v, &p, end, status) : -1;
	parsed_free(&p);
	if (r < 0) {
		verdict_free(v);
		errno = ENOMEM;
	}
	return r;
}

int
verdict_take(struct verdict *v, struct verdict *given, int status, size_t n)
{
	struct parsed p = { .reply = given->reply, .cap = given->n, .n = given->n };
	int r;

	*given = (struct verdict){ 0 };
	if (!p.reply)
		return verdict_judge(v, "", 0, VERDICT_EXIT, status, n);
	*v = (struct verdict){ .reply = calloc(n ? n : 1, sizeof *v->reply), .n = n };
	r = v->reply ? judge(v, &p, VERDICT_DOT, 0) : -1;
	parsed_free(&p);
	if (r < 0) {
		verdict_free(v);
		errno = ENOMEM;
	}
	return r;
}

const struct reply_foreign *
verdict_reduce(const struct verdict *v, bool *mixed)
{
	const struct reply_foreign *worst = NULL;
	bool accepted = false;
	size_t i;

	for (i = 0; i < v->n; i++) {
		const struct reply_foreign *r = &v->reply[i];

		if (r->code < 300)
			accepted = true;
		else if (!worst || (worst->code >= 500 && r->code < 500))
			worst = r;
	}
	*mixed = accepted && worst;
	return worst;
}

void
verdict_free(struct verdict *v)
{
	size_t i;

	for (i = 0; v->reply && i < v->n; i++)
		reply_foreign_free(&v->reply[i]);
	free(v->reply);
	*v = (struct verdict){ 0 };
}

/* Keep the beginning of a long reply: RFC 5321 4.5.3.1.5 limits a reply line to 512 octets. */
static void
shorten(struct reply_foreign *r)
{
	size_t n = r->text ? strcspn(r->text, "\n") : 0;

	if (r->text)
		r->text[n < TEXT_SHORT ? n : TEXT_SHORT] = '\0';
}

int
verdict_text(struct buf *text, const struct verdict *v)
{
	bool shortened = false;
	size_t i = 0;

	while (i < v->n) {
		if (reply_add_foreign(text, &v->reply[i++]) < 0)
			return -1;
		if (shortened || text->len + sizeof ".\r\n" <= CHAIN_VERDICT_MAX)
			continue;
		buf_clear(text);
		for (i = 0; i < v->n; i++)
			shorten(&v->reply[i]);
		shortened = true;
		i = 0;
	}
	return 0;
}

int
verdict_write(int fd, struct verdict *v)
{
	struct buf b = { 0 };
	int r = verdict_text(&b, v) < 0 || buf_puts(&b, ".\r\n") < 0 ? -1 : file_write(fd, b.p, b.len);

	buf_free(&b);
	return r;
}
