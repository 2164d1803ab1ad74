/* ISC licence, see LICENSE. */
#include "spool/spoolrec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain/limits.h"
#include "stage/handover.h"

static const char *const states[] = { "waiting", "reached", "failed" };

/* The lines of a text that are not read yet. */
struct lines {
	const char *p, *end;
};

/* Take the next line, without its LF. Returns false if no complete line is left. */
static bool
next_line(struct lines *l, const char **line, size_t *len)
{
	const char *lf = l->p < l->end ? memchr(l->p, '\n', (size_t)(l->end - l->p)) : NULL;

	if (!lf)
		return false;
	*line = l->p;
	*len = (size_t)(lf - l->p);
	l->p = lf + 1;
	return true;
}

/* Cut word and the space after it off the front. Returns false if another word is there. */
static bool
take_word(const char **s, size_t *n, const char *word)
{
	size_t len = strlen(word);

	if (*n < len || memcmp(*s, word, len) != 0 || (*n > len && (*s)[len] != ' '))
		return false;
	len += *n > len;
	*s += len;
	*n -= len;
	return true;
}

/* Cut a number of at most 12 digits and the space after it off the front. */
static bool
take_number(const char **s, size_t *n, long long *number)
{
	size_t i;

	for (i = 0, *number = 0; i < *n && (*s)[i] >= '0' && (*s)[i] <= '9' && i < 12; i++)
		*number = *number * 10 + ((*s)[i] - '0');
	if (i == 0 || (i < *n && (*s)[i] != ' '))
		return false;
	i += i < *n;
	*s += i;
	*n -= i;
	return true;
}

/* Take a line that consists of word and a number. */
static bool
number_line(struct lines *l, const char *word, long long *number)
{
	const char *s;
	size_t n;

	return next_line(l, &s, &n) && take_word(&s, &n, word) && take_number(&s, &n, number) && n == 0;
}

/* Take a line that consists of word alone. Otherwise l stays. */
static bool
word_line(struct lines *l, const char *word)
{
	const struct lines was = *l;
	const char *s;
	size_t n;

	if (next_line(l, &s, &n) && n == strlen(word) && memcmp(s, word, n) == 0)
		return true;
	*l = was;
	return false;
}

static bool
parse_head(struct lines *l, struct spoolrec *s)
{
	long long version, arrival, tried, next;

	if (!number_line(l, "spool", &version) || version != 1 || !number_line(l, "arrived", &arrival) ||
	    !number_line(l, "tried", &tried) || tried > 1000000000)
		return false;
	s->arrival = (time_t)arrival;
	s->tried = (unsigned)tried;
	s->next = SPOOLREC_NEVER;
	if (word_line(l, "next never"))
		return true;
	if (!number_line(l, "next", &next))
		return false;
	s->next = (time_t)next;
	return true;
}

/* Undo escape. Returns 0, or -1 with errno set (ENOMEM; EINVAL: another octet after a backslash). */
static int
unescape(struct buf *out, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		char c = s[i];

		if (c == '\\') {
			c = ++i < n ? s[i] : '\0';
			if (c != 'n' && c != '\\') {
				errno = EINVAL;
				return -1;
			}
			if (c == 'n')
				c = '\n';
		}
		if (buf_add(out, &c, 1) < 0)
			return -1;
	}
	return 0;
}

/* Append the n octets at s, with a backslash as "\\" and an LF as "\n". */
static int
escape(struct buf *out, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((s[i] == '\n' ? buf_puts(out, "\\n") : s[i] == '\\' ? buf_puts(out, "\\\\") : buf_add(out, s + i, 1)) < 0)
			return -1;
	return 0;
}

/* Parse "CODE TEXT", escaped; the text may have several lines. Returns 0, or -1 with errno set (EINVAL, ENOMEM). */
static int
parse_reply(struct reply_foreign *r, const char *s, size_t n)
{
	struct buf text = { 0 };
	const char *line, *rest;
	size_t len, left;
	int code, result = -1;
	bool last;

	errno = EINVAL;
	if (!reply_line(s, n, &code, &last, &rest, &len) || !last || unescape(&text, rest, len) < 0)
		goto end;
	line = text.p ? text.p : "";
	left = text.len;
	for (;;) {
		const char *lf = memchr(line, '\n', left);

		if (reply_take(r, code, line, lf ? (size_t)(lf - line) : left) < 0)
			goto end;
		if (!lf)
			break;
		left -= (size_t)(lf - line) + 1;
		line = lf + 1;
	}
	result = 0;
end:
	buf_free(&text);
	return result;
}

/* Parse "N STATE TOLD [REPLY]". N must be above *last and becomes *last. Returns 0, or -1 with errno set. */
static int
parse_rcpt(struct spoolrec *s, const char *p, size_t n, long long *last)
{
	struct spoolrec_rcpt *r;
	long long number;
	size_t state = 0;

	errno = EINVAL;
	if (!take_number(&p, &n, &number) || number <= *last || (unsigned long long)number > s->envelope.nrcpt)
		return -1;
	*last = number;
	r = &s->rcpt[number - 1];
	while (!take_word(&p, &n, states[state]))
		if (++state == sizeof states / sizeof *states)
			return -1;
	r->state = (enum spoolrec_state)state;
	r->told = take_word(&p, &n, "told");
	if (!r->told && !take_word(&p, &n, "untold"))
		return -1;
	return n > 0 ? parse_reply(&r->reply, p, n) : 0;
}

/* Parse the lines between the head and the empty line: first facts, then recipients. */
static int
parse_known(struct spoolrec *s, struct lines *l)
{
	struct buf facts = { 0 };
	const char *line = NULL;
	size_t n = 0;
	long long last = 0;
	bool more = false;
	int r = 0;

	s->is_report = word_line(l, "report");
	errno = EINVAL;
	while (r == 0 && (more = next_line(l, &line, &n)) && take_word(&line, &n, "fact"))
		r = unescape(&facts, line, n) < 0 || buf_add(&facts, "", 1) < 0 ? -1 : 0;
	if (r == 0)
		r = facts_from_call(&s->facts, facts.p, facts.len, HANDOVER_NAMES_MAX);
	if (r < 0 && errno == EPROTO)
		errno = EINVAL;
	buf_free(&facts);
	if (r == 0 && !more)
		r = (errno = EINVAL, -1);
	while (r == 0 && n > 0) {
		r = take_word(&line, &n, "rcpt") ? parse_rcpt(s, line, n, &last) : (errno = EINVAL, -1);
		if (r == 0 && !next_line(l, &line, &n))
			r = (errno = EINVAL, -1);
	}
	return r;
}

/* Parse the n octets after the empty line. */
static int
parse_envelope(struct spoolrec *s, const char *p, size_t n, const char **why)
{
	struct buf text = { 0 };
	size_t i;
	int r = buf_add(&text, p, n);

	if (r == 0)
		r = envelope_parse(&s->envelope, &text, why);
	buf_free(&text);
	if (r < 0)
		return -1;
	*why = "spooled: out of memory";
	s->rcpt = calloc(s->envelope.nrcpt ? s->envelope.nrcpt : 1, sizeof *s->rcpt);
	if (!s->rcpt)
		return -1;
	*why = "spooled: no recipients, too many, or a reply line";
	errno = EINVAL;
	if (s->envelope.nrcpt == 0 || s->envelope.nrcpt > CHAIN_RCPT_MAX)
		return -1;
	for (i = 0; i < s->envelope.nrcpt; i++)
		if (s->envelope.rcpt[i].kind != ENVELOPE_RCPT)
			return -1;
	return 0;
}

/* Returns the offset of the envelope in the text, or 0 if it has none. */
static size_t
find_envelope(const struct buf *text)
{
	size_t i;

	for (i = 0; i + 1 < text->len; i++)
		if (text->p[i] == '\n' && text->p[i + 1] == '\n')
			return i + 2;
	return 0;
}

int
spoolrec_parse(struct spoolrec *s, struct buf *text, const char **why)
{
	struct buf b = *text;
	struct lines l = { b.p, b.p + b.len };
	size_t at;
	int e;

	*text = (struct buf){ 0 };
	errno = EINVAL;
	*why = "spooled: not a record of a message";
	at = find_envelope(&b);
	if (at == 0 || memchr(b.p, '\0', b.len) || !parse_head(&l, s))
		goto fail;
	if (parse_envelope(s, b.p + at, b.len - at, why) < 0)
		goto fail;
	l.end = b.p + at;
	*why = "spooled: a line that is neither a fact nor a recipient";
	if (parse_known(s, &l) < 0)
		goto fail;
	*why = NULL;
	buf_free(&b);
	return 0;
fail:
	e = errno;
	spoolrec_free(s);
	buf_free(&b);
	errno = e;
	return -1;
}

int
spoolrec_next(const char *text, size_t n, time_t *next)
{
	struct lines l = { text, text + n };
	struct spoolrec s;

	if (!parse_head(&l, &s))
		return -1;
	*next = s.next;
	return 0;
}

/* Returns true for a fact that the next attempts get; false for one that every attempt sets anew. */
static bool
is_kept(const char *fact)
{
	static const char *const anew[] = { "MSA_DEADLINE=", "MSA_RCPTS=", "MSA_PARTIAL=" };
	size_t i;

	for (i = 0; i < sizeof anew / sizeof *anew; i++)
		if (strncmp(fact, anew[i], strlen(anew[i])) == 0)
			return false;
	return facts_owner(fact) != FACTS_NOBODY;
}

static int
write_rcpt(const struct spoolrec_rcpt *r, size_t number, struct buf *out)
{
	const char *text = r->reply.text ? r->reply.text : "";
	size_t n = strlen(text);

	if (r->state == SPOOLREC_WAITING && !r->told && r->reply.code == 0)
		return 0;
	if (buf_printf(out, "rcpt %zu %s %s", number, states[r->state], r->told ? "told" : "untold") < 0)
		return -1;
	if (r->reply.code > 0 && (buf_printf(out, " %d%s%s%s", r->reply.code, *r->reply.enhanced ? " " : "",
	        r->reply.enhanced, n ? " " : "") < 0 ||
	        escape(out, text, n < SPOOLREC_REPLY_MAX ? n : SPOOLREC_REPLY_MAX) < 0))
		return -1;
	return buf_puts(out, "\n");
}

int
spoolrec_write(const struct spoolrec *s, struct buf *out)
{
	size_t i, names = 0, octets = 0;

	for (i = 0; i < s->facts.n; i++)
		if (is_kept(s->facts.v[i])) {
			names++;
			octets += strlen(s->facts.v[i]) + 1;
		}
	if (names > HANDOVER_NAMES_MAX || octets > HANDOVER_FACTS_MAX) { /* no call could carry them */
		errno = E2BIG;
		return -1;
	}
	if (buf_printf(out, "spool 1\narrived %lld\ntried %u\n", (long long)s->arrival, s->tried) < 0)
		return -1;
	if (s->next == SPOOLREC_NEVER ? buf_puts(out, "next never\n") < 0 :
	                                buf_printf(out, "next %lld\n", (long long)s->next) < 0)
		return -1;
	if (s->is_report && buf_puts(out, "report\n") < 0)
		return -1;
	for (i = 0; i < s->facts.n; i++)
		if (is_kept(s->facts.v[i]) && (buf_puts(out, "fact ") < 0 ||
		    escape(out, s->facts.v[i], strlen(s->facts.v[i])) < 0 || buf_puts(out, "\n") < 0))
			return -1;
	for (i = 0; s->rcpt && i < s->envelope.nrcpt; i++)
		if (write_rcpt(&s->rcpt[i], i + 1, out) < 0)
			return -1;
	if (buf_printf(out, "\n%s\n", s->envelope.mail.text) < 0)
		return -1;
	for (i = 0; i < s->envelope.nrcpt + s->envelope.ncopy; i++)
		if (s->envelope.rcpt[i].kind != ENVELOPE_REPLY &&
		    buf_printf(out, "%s\n", s->envelope.rcpt[i].text) < 0)
			return -1;
	return 0;
}

void
spoolrec_free(struct spoolrec *s)
{
	size_t i;

	for (i = 0; s->rcpt && i < s->envelope.nrcpt; i++)
		reply_foreign_free(&s->rcpt[i].reply);
	free(s->rcpt);
	facts_free(&s->facts);
	envelope_free(&s->envelope);
	*s = (struct spoolrec){ 0 };
}
