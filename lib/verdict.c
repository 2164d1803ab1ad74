/* ISC licence, see LICENSE. */
#include "verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"

/* What an exit code makes of the replies: chain(7) VERDICT. */
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

/* Replies as they stand in the text: at most max + 1 are kept, so that too many can be told. */
struct parsed {
	struct reply_foreign *reply;
	size_t room;
	size_t n;
	bool bad; /* a line that is no reply, or an unfinished one */
};

static void
parsed_free(struct parsed *p)
{
	size_t i;

	for (i = 0; i < p->room; i++)
		reply_foreign_free(&p->reply[i]); /* an unfinished one behind the n too */
	free(p->reply);
}

static int
parse(struct parsed *p, const char *text, size_t len, size_t max)
{
	bool open = false; /* in a multi-line reply */

	p->reply = calloc(max + 1, sizeof *p->reply);
	if (!p->reply)
		return -1;
	p->room = max + 1;
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
	if (open)
		p->bad = true;
	return 0;
}

static int
copy(struct reply_foreign *to, const struct reply_foreign *from)
{
	*to = *from;
	to->text = strdup(from->text ? from->text : "");
	return to->text ? 0 : -1;
}

static int
from_table(struct reply_foreign *to, enum reply r)
{
	*to = (struct reply_foreign){ .code = reply_code(r) };
	memcpy(to->enhanced, reply_enhanced(r), strlen(reply_enhanced(r)) + 1);
	to->text = strdup(reply_text(r));
	return to->text ? 0 : -1;
}

/* All n get the same. */
static int
fill(struct verdict *v, enum reply r)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (from_table(&v->reply[i], r) < 0)
			return -1;
	return 0;
}

/* The replies as they are: one for all, or one each. */
static int
take(struct verdict *v, const struct parsed *p)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (copy(&v->reply[i], &p->reply[p->n == 1 ? 0 : i]) < 0 || reply_translate(&v->reply[i]) < 0)
			return -1;
	return 0;
}

/* The exit code says no: the first 4yz or 5yz for all where the replies are neither one nor n; 2yz becomes 451. */
static int
refuse(struct verdict *v, struct parsed *p, enum reply otherwise)
{
	size_t i, first;

	for (first = 0; first < p->n && p->reply[first].code < 400; first++)
		;
	if (p->bad || p->n == 0) {
		if (p->bad)
			v->why = "exit code refuses, with text that is no reply";
		return fill(v, otherwise);
	}
	if (p->n != 1 && p->n != v->n) {
		v->why = "exit code refuses, with a wrong number of replies";
		if (first >= p->n || first >= v->n)
			return fill(v, otherwise);
		for (i = 0; i < v->n; i++)
			if (copy(&v->reply[i], &p->reply[first]) < 0 || reply_translate(&v->reply[i]) < 0)
				return -1;
		return 0;
	}
	for (i = 0; i < p->n; i++)
		if (p->reply[i].code < 300) {
			v->why = "exit code refuses what a reply accepts";
			reply_foreign_free(&p->reply[i]);
			if (from_table(&p->reply[i], REPLY_LOCAL_ERROR) < 0)
				return -1;
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

	*v = (struct verdict){ .reply = calloc(n, sizeof *v->reply), .n = n };
	r = v->reply && parse(&p, text, len, n) == 0 ? judge(v, &p, end, status) : -1;
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

int
verdict_write(int fd, const struct buf *text)
{
	struct buf b = { 0 };
	size_t done = 0;
	int failed = buf_add(&b, text->p, text->len) < 0 || buf_puts(&b, ".\r\n") < 0;

	while (!failed && done < b.len) {
		ssize_t r = write(fd, b.p + done, b.len - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			failed = 1;
		else
			done += (size_t)r;
	}
	buf_free(&b);
	return failed ? -1 : 0;
}
