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

int
verdict_open(struct verdict *v, size_t n)
{
	*v = (struct verdict){ .reply = calloc(n + 1, sizeof *v->reply), .n = n };
	return v->reply ? 0 : -1;
}

/* What the text holds: the replies are in v, of which there is one more than recipients, so that too many are seen. */
struct parsed {
	size_t n;
	bool bad; /* a line that is no reply, or an unfinished one */
};

static void
parse(struct verdict *v, struct parsed *p, const char *text, size_t len)
{
	bool open = false; /* in a multi-line reply */

	while (len > 0 && p->n <= v->n) {
		const char *lf = memchr(text, '\n', len), *rest;
		size_t line = lf ? (size_t)(lf - text) : len, skip = lf ? line + 1 : line, restlen;
		struct reply_foreign *r = &v->reply[p->n];
		int code;
		bool last;

		if (line > 0 && text[line - 1] == '\r')
			line--;
		p->bad = !reply_line(text, line, &code, &last, &rest, &restlen);
		if (!p->bad && reply_take(r, code, rest, restlen) < 0) {
			p->bad = errno != ENOMEM;
			r->code = code; /* out of memory: a reply without its text is a reply all the same */
		}
		if (p->bad)
			return;
		open = !last;
		p->n += last;
		text += skip;
		len -= skip;
	}
	p->bad = open;
}

/* Free all replies from the given one on. */
static void
drop(struct verdict *v, size_t from)
{
	size_t i;

	for (i = from; i <= v->n; i++)
		reply_foreign_free(&v->reply[i]);
}

/* Give all recipients the same reply. */
static void
fill(struct verdict *v, enum reply r)
{
	size_t i;

	drop(v, 0);
	for (i = 0; i < v->n; i++)
		reply_set(&v->reply[i], r, NULL);
}

/* Take the replies as they are: one for all recipients, or one for each. */
static void
take(struct verdict *v, size_t n)
{
	size_t i;

	drop(v, n);
	for (i = n; i < v->n; i++)
		reply_copy(&v->reply[i], &v->reply[0]);
	for (i = 0; i < v->n; i++)
		if (reply_translate(&v->reply[i]) < 0) {
			reply_foreign_free(&v->reply[i]);
			reply_set(&v->reply[i], REPLY_NO_MEMORY, NULL);
		}
}

/* The exit code refuses: a 2yz becomes 451. If there are neither one nor n replies, the first is for all recipients. */
static void
refuse(struct verdict *v, const struct parsed *p, enum reply otherwise)
{
	size_t i;

	if (p->bad || p->n == 0) {
		if (p->bad)
			v->why = "exit code refuses, with text that is no reply";
		else if (otherwise == REPLY_LOCAL_ERROR)
			v->why = "exit code says later, without a reply";
		fill(v, otherwise);
		return;
	}
	for (i = 0; i < p->n; i++)
		if (v->reply[i].code < 300) {
			v->why = "exit code refuses what a reply accepts";
			reply_foreign_free(&v->reply[i]);
			reply_set(&v->reply[i], REPLY_LOCAL_ERROR, NULL);
		}
	if (p->n != 1 && p->n != v->n)
		v->why = "exit code refuses, with a wrong number of replies";
	take(v, p->n == v->n ? v->n : 1);
}

static void
judge(struct verdict *v, const struct parsed *p, enum verdict_end end, int status)
{
	enum weight w = end == VERDICT_EXIT ? weigh(status) : WEIGHT_TAKE;
	enum reply r = REPLY_LOCAL_ERROR;

	if (end == VERDICT_LATE) {
		v->why = "deadline passed";
		r = REPLY_LATE;
	} else if (end == VERDICT_SIGNAL)
		v->why = "ended by a signal";
	else if (end == VERDICT_CUT)
		v->why = "output ended without a closing dot";
	else if (w == WEIGHT_FAULT)
		v->why = status == 126 || status == 127 ? "program could not be run" : "unexpected exit code";
	else if (w == WEIGHT_REFUSE || w == WEIGHT_LATER) {
		refuse(v, p, w == WEIGHT_REFUSE ? REPLY_REFUSED : REPLY_LOCAL_ERROR);
		return;
	} else if (!p->bad && (p->n == 1 || p->n == v->n)) {
		take(v, p->n);
		return;
	} else
		v->why = p->bad ? "a line that is no reply" : p->n == 0 ? "no reply" : "wrong number of replies";
	fill(v, r);
}

void
verdict_judge(struct verdict *v, const char *text, size_t len, enum verdict_end end, int status)
{
	struct parsed p = { 0 };

	parse(v, &p, text, len);
	judge(v, &p, end, status);
}

void
verdict_take(struct verdict *v, struct verdict *given, int status)
{
	struct parsed p = { .n = given->n };
	size_t i;

	for (i = 0; given->reply && i < given->n && i <= v->n; i++) {
		v->reply[i] = given->reply[i];
		given->reply[i] = (struct reply_foreign){ 0 };
	}
	judge(v, &p, given->reply ? VERDICT_DOT : VERDICT_EXIT, status);
	verdict_free(given);
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
