/* ISC licence, see LICENSE. */
#include "mail/downgrade.h"

#include <string.h>
#include <strings.h>

#include "mail/addrlist.h"
#include "mail/encword.h"
#include "mail/header.h"
#include "mail/mimeparam.h"
#include "smtp/addr.h"

enum {
	NAME_SHOWN = 64,   /* octets of a field's name in a reply and in the log */
	NAMES_SHOWN = 255, /* octets of all names in the log, which has more to say */
};

static const char why_charset[] = "octets that are not ASCII are not UTF-8";

/* A field that is being rewritten. */
struct work {
	struct downgrade *d;
	const char *text;
	const struct field *f;
	struct buf out;      /* the field */
	const char *charset; /* of the text in hand */
	size_t most;         /* octets of a line, where white space lets it be folded */
};

/* Returns the octets of a line end at text[pos], or 0 if no line ends there. A CR alone ends no line. */
static size_t
line_end(const char *text, size_t pos, size_t end)
{
	return text[pos] == '\n' ? 1 : text[pos] == '\r' && pos + 1 < end && text[pos + 1] == '\n' ? 2 : 0;
}

static bool
is_space(const char *text, size_t pos, size_t end)
{
	return text[pos] == ' ' || text[pos] == '\t' || line_end(text, pos, end) > 0;
}

bool
downgrade_has_8bit(const char *p, size_t n)
{
	unsigned char all = 0;
	size_t i;

	for (i = 0; i < n; i++)
		all |= (unsigned char)p[i];
	return all > 127;
}

/* Returns true if a line of p[0..n) is over most octets. */
static bool
has_long_line(const char *p, size_t n, size_t most)
{
	const char *end = p + n, *lf;

	for (; n > most; p = lf + 1, n = (size_t)(end - p)) {
		lf = memchr(p, '\n', n);
		if (!lf || (size_t)(lf - p) > most + 1)
			return true;
		if ((size_t)(lf - p) == most + 1 && lf[-1] != '\r')
			return true;
	}
	return false;
}

static enum downgrade_result
refuse(struct work *w, enum downgrade_result result, const char *what)
{
	size_t n = w->f->name_end - w->f->name;
	int r = buf_printf(&w->d->why, "%.*s: %s", (int)(n < NAME_SHOWN ? n : NAME_SHOWN), w->text + w->f->name, what);

	return r < 0 ? DOWNGRADE_ERROR : result;
}

/* Encoded words */

/* Choose the character set of a text with octets over 127. Returns DOWNGRADE_SAME, or a refusal. */
static enum downgrade_result
choose_charset(struct work *w, const char *text, size_t n)
{
	w->charset = addr_is_utf8(text, n) ? "utf-8" : w->d->charset;
	return w->charset ? DOWNGRADE_SAME : refuse(w, DOWNGRADE_REFUSED, why_charset);
}

/* Append text[0..n) as encoded words, each on a line where it has room, with after octets that follow the last. */
static int
add_words(struct work *w, const char *text, size_t n, size_t after)
{
	ssize_t used;

	while (n > 0) {
		size_t at = encword_column(&w->out), most = DOWNGRADE_WORD_LINE - after, room = at < most ? most - at : 0;

		used = encword_add(&w->out, text, n, w->charset, room < ENCWORD_MAX ? room : ENCWORD_MAX);
		if (used < 0)
			return -1;
		text += used;
		n -= (size_t)used;
		if (n > 0 && (buf_puts(&w->out, w->d->eol) < 0 || buf_puts(&w->out, " ") < 0))
			return -1;
	}
	return 0;
}

/* Append p[0..n) to b without line ends. */
static int
add_unfolded(struct buf *b, const char *p, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		if (line_end(p, i, n) == 0)
			r = buf_add(b, p + i, 1);
	return r;
}

/* A word of a text, and the white space before it. */
struct word {
	size_t space, begin, end;
};

/* Find the word at pos. Returns false at the end of the text, where the word is empty. */
static bool
next_word(const char *text, size_t pos, size_t end, struct word *word)
{
	word->space = pos;
	while (pos < end && is_space(text, pos, end))
		pos++;
	word->begin = pos;
	while (pos < end && !is_space(text, pos, end))
		pos++;
	word->end = pos;
	return word->end > word->begin;
}

static bool
is_encoded(const char *p, size_t n)
{
	return n > 4 && memcmp(p, "=?", 2) == 0 && memcmp(p + n - 2, "?=", 2) == 0;
}

/* Append white space and a word of n octets; a line that would have more than most octets is folded there. */
static int
add_word(struct buf *out, const char *eol, const char *space, size_t nspace, const char *word, size_t n, size_t most)
{
	if (nspace > 0 && !memchr(space, '\n', nspace) && encword_column(out) + nspace + n > most && buf_puts(out, eol) < 0)
		return -1;
	return buf_add(out, space, nspace) < 0 ? -1 : buf_add(out, word, n);
}

/*
 * Append the run of words from *first on that have octets over 127, and move *first to the word after it. Readers drop
 * white space between encoded words: there it must be in one of them.
 */
static int
add_run(struct work *w, struct word *first, bool after_encoded)
{
	const char *text = w->text;
	size_t end = w->f->end, nspace = first->begin - first->space, last;
	struct word next;
	struct buf run = { 0 };
	int r = 0;

	if (after_encoded)
		r = add_unfolded(&run, text + first->space, nspace);
	last = first->end;
	while (next_word(text, last, end, &next) && downgrade_has_8bit(text + next.begin, next.end - next.begin))
		last = next.end;
	if (r == 0)
		r = add_unfolded(&run, text + first->begin, last - first->begin);
	if (r == 0 && is_encoded(text + next.begin, next.end - next.begin))
		r = add_unfolded(&run, text + next.space, next.begin - next.space);
	if (r == 0)
		r = add_word(&w->out, w->d->eol, text + first->space, nspace, "", 0, DOWNGRADE_WORD_LINE - ENCWORD_MAX / 2);
	if (r == 0)
		r = add_words(w, run.p, run.len, 0);
	buf_free(&run);
	*first = next;
	return r;
}

/* Append the value of a field that is a text. */
static int
add_text(struct work *w)
{
	bool after_encoded = false;
	struct word word;
	int r = 0;

	next_word(w->text, w->f->value, w->f->end, &word);
	while (r == 0 && word.end > word.begin) {
		const char *p = w->text + word.begin;
		size_t n = word.end - word.begin;

		if (downgrade_has_8bit(p, n)) {
			r = add_run(w, &word, after_encoded);
			after_encoded = true;
			continue;
		}
		r = add_word(&w->out, w->d->eol, w->text + word.space, word.begin - word.space, p, n, DOWNGRADE_WORD_LINE);
		after_encoded = is_encoded(p, n);
		next_word(w->text, word.end, w->f->end, &word);
	}
	return r < 0 ? -1 : buf_add(&w->out, w->text + word.space, word.begin - word.space);
}

/* Addresses */

/*
 * Append a display name as encoded words, between white space (RFC 2047 5). A name with a comment or an encoded word is
 * not clear.
 */
static enum downgrade_result
add_name(struct work *w, size_t begin, size_t end)
{
	struct buf name = { 0 };
	bool quoted = false;
	size_t i;
	enum downgrade_result result = choose_charset(w, w->text + begin, end - begin);
	int r = 0;

	if (result != DOWNGRADE_SAME)
		return result;
	for (i = begin; r == 0 && i < end; i++) {
		char c = w->text[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if ((c == '(' && !quoted) || (c == '=' && i + 1 < end && w->text[i + 1] == '?')) {
			buf_free(&name);
			return refuse(w, DOWNGRADE_REFUSED, "a name with octets that are not ASCII is not clear");
		}
		if (c == '\\' && quoted && i + 1 < end)
			c = w->text[++i];
		if (c == '\t' && !quoted)
			c = ' ';
		if (line_end(w->text, i, end) == 0)
			r = buf_add(&name, &c, 1);
	}
	if (r == 0 && !is_space(w->out.p, w->out.len - 1, w->out.len))
		r = buf_puts(&w->out, " ");
	if (r == 0)
		r = add_words(w, name.p, name.len, 0);
	if (r == 0 && end < w->f->end && !is_space(w->text, end, w->f->end))
		r = buf_puts(&w->out, " ");
	buf_free(&name);
	w->most = DOWNGRADE_WORD_LINE;
	return r < 0 ? DOWNGRADE_ERROR : DOWNGRADE_SAME;
}

/* Returns the octets of the quoted string at p, or all n if it does not end. */
static size_t
quoted_len(const char *p, size_t n)
{
	size_t i;

	for (i = 1; i < n && p[i] != '"'; i++)
		if (p[i] == '\\')
			i++;
	return i < n ? i + 1 : n;
}

/* Append the comment text[begin..end), with its brackets. One with a comment or an encoded word in it is not clear. */
static enum downgrade_result
add_comment(struct work *w, size_t begin, size_t end)
{
	const char *text = w->text;
	struct buf inner = { 0 };
	enum downgrade_result result;
	size_t i;
	int r;

	if (!downgrade_has_8bit(text + begin, end - begin))
		return buf_add(&w->out, text + begin, end - begin) < 0 ? DOWNGRADE_ERROR : DOWNGRADE_SAME;
	begin++;
	end--;
	for (i = begin; i < end; i++)
		if (text[i] == '(' || text[i] == '\\' || (text[i] == '=' && text[i + 1] == '?'))
			return refuse(w, DOWNGRADE_REFUSED, "a comment with octets that are not ASCII is not clear");
	result = choose_charset(w, text + begin, end - begin);
	if (result != DOWNGRADE_SAME)
		return result;
	r = add_unfolded(&inner, text + begin, end - begin);
	if (r == 0)
		r = buf_puts(&w->out, "(");
	if (r == 0)
		r = add_words(w, inner.p, inner.len, 1);
	if (r == 0)
		r = buf_puts(&w->out, ")");
	buf_free(&inner);
	w->most = DOWNGRADE_WORD_LINE;
	return r < 0 ? DOWNGRADE_ERROR : DOWNGRADE_SAME;
}

/* Returns the end of the comment at text[pos], or pos if it does not end. */
static size_t
comment_end(const char *text, size_t pos, size_t end)
{
	size_t depth = 0, i;

	for (i = pos; i < end; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '(')
			depth++;
		else if (text[i] == ')' && --depth == 0)
			return i + 1;
	}
	return pos;
}

/* Append what stands between names and addresses. Comments become encoded words; nothing else may have such octets. */
static enum downgrade_result
add_between(struct work *w, size_t begin, size_t end)
{
	const char *text = w->text;
	enum downgrade_result r = DOWNGRADE_SAME;

	while (r == DOWNGRADE_SAME && begin < end) {
		size_t n = 0, close;

		while (begin + n < end && text[begin + n] != '(')
			n += text[begin + n] == '"' ? quoted_len(text + begin + n, end - begin - n) : 1;
		if (downgrade_has_8bit(text + begin, n))
			return refuse(w, DOWNGRADE_REFUSED, "there are octets that are not ASCII");
		if (buf_add(&w->out, text + begin, n) < 0)
			return DOWNGRADE_ERROR;
		begin += n;
		if (begin == end)
			break;
		close = comment_end(text, begin, end);
		if (close == begin)
			return refuse(w, DOWNGRADE_REFUSED, "a comment has no end");
		r = add_comment(w, begin, close);
		begin = close;
	}
	return r;
}

/* Append the value of a field of addresses. A list that is not valid stays as it is: it is refused as such later. */
static enum downgrade_result
add_addresses(struct work *w)
{
	const char *text = w->text;
	size_t done = w->f->value;
	enum downgrade_result r = DOWNGRADE_SAME;
	enum addrlist_result found;
	struct addrlist list;
	struct addrlist_item m;

	addrlist_begin(&list, text, w->f->value, w->f->end);
	while (r == DOWNGRADE_SAME && (found = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
		size_t end = m.domain_end > m.local_end ? m.domain_end : m.local_end;

		if (!addr_is_utf8(text + m.local, end - m.local))
			break;
		if (downgrade_has_8bit(text + m.local, end - m.local))
			return refuse(w, DOWNGRADE_ADDRESS, "an address is not ASCII, but SMTPUTF8 was not given or is not available");
		if (downgrade_has_8bit(text + m.name, m.name_end - m.name)) {
			r = add_between(w, done, m.name);
			if (r == DOWNGRADE_SAME)
				r = add_name(w, m.name, m.name_end);
			done = m.name_end;
		}
		if (r == DOWNGRADE_SAME)
			r = add_between(w, done, m.local);
		if (r == DOWNGRADE_SAME && buf_add(&w->out, text + m.local, end - m.local) < 0)
			r = DOWNGRADE_ERROR;
		done = end;
	}
	if (r != DOWNGRADE_SAME || found == ADDRLIST_END)
		return r != DOWNGRADE_SAME ? r : add_between(w, done, w->f->end);
	buf_clear(&w->out);
	w->most = DOWNGRADE_LINE_MAX;
	return buf_add(&w->out, text + w->f->name, w->f->end - w->f->name) < 0 ? DOWNGRADE_ERROR : DOWNGRADE_SAME;
}

/* Fields */

/* Append the value of a field of MIME, whose parameters have a form of their own for such octets. */
static enum downgrade_result
add_parameters(struct work *w)
{
	switch (mimeparam_encode(&w->out, w->text, w->f->value, w->f->end, w->d->charset, w->d->eol)) {
	case MIMEPARAM_OK:
		return DOWNGRADE_SAME;
	case MIMEPARAM_CHARSET:
		return refuse(w, DOWNGRADE_REFUSED, why_charset);
	case MIMEPARAM_UNCLEAR:
		return refuse(w, DOWNGRADE_REFUSED, "a parameter with octets that are not ASCII is not clear");
	default:
		return DOWNGRADE_ERROR;
	}
}

/* Fields of other RFCs whose value has a syntax: an encoded word in it would be a word of that syntax. */
static bool
has_syntax(const struct work *w)
{
	static const char *const names[] = { "List-", "ARC-", "DKIM-", "Content-", "Received-", "Disposition-Notification-",
		"Keywords", "Original-", "Auto-Submitted", "Archived-At", "Return-Receipt-To", "Errors-To", "Mail-Followup-To",
		"Mail-Reply-To", "Delivered-To", "Newsgroups", "Followup-To", "Autocrypt" };
	const char *name = w->text + w->f->name;
	size_t n = w->f->name_end - w->f->name, i, len;

	if (field_is(w->text, w->f, "Content-Description"))
		return false;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		len = strlen(names[i]);
		if (n >= len && strncasecmp(name, names[i], len) == 0 && (n == len || names[i][len - 1] == '-'))
			return true;
	}
	return false;
}

/* Fields that qualify removes, or replaces if they are not ASCII, and those of other servers: they stay here. */
static bool
is_left(enum field_id id)
{
	return field_syntax(id) == FIELD_BLIND || id == FIELD_RETURN_PATH || id == FIELD_RECEIVED || id == FIELD_DATE ||
	    id == FIELD_RESENT_DATE || id == FIELD_MESSAGE_ID || id == FIELD_RESENT_MESSAGE_ID || id == FIELD_AUTH_RESULTS ||
	    id == FIELD_CONTENT_LENGTH || id == FIELD_UIDL;
}

/* Append the field, from its name to the end of its value, encoded. */
static enum downgrade_result
encode(struct work *w)
{
	const struct field *f = w->f;
	const char *value = w->text + f->value;
	size_t n = f->end - f->value;
	enum downgrade_result r;

	if (buf_add(&w->out, w->text + f->name, f->value - f->name) < 0)
		return DOWNGRADE_ERROR;
	if (w->d->keeps_utf8 || is_left(f->id) || !downgrade_has_8bit(value, n))
		return buf_add(&w->out, value, n) < 0 ? DOWNGRADE_ERROR : DOWNGRADE_SAME;
	if (field_syntax(f->id) != FIELD_OPAQUE)
		return add_addresses(w);
	if (f->id == FIELD_CONTENT_TYPE || field_is(w->text, f, "Content-Disposition"))
		return add_parameters(w);
	if (f->id != FIELD_SUBJECT && (f->id != FIELD_OTHER || has_syntax(w)))
		return refuse(w, DOWNGRADE_REFUSED, "there are octets that are not ASCII");
	r = choose_charset(w, value, n);
	if (r == DOWNGRADE_SAME && add_text(w) < 0)
		r = DOWNGRADE_ERROR;
	return r;
}

/*
 * Append the encoded field to the header, with long lines folded where white space is; but not before the colon: what
 * stands there would be no field any more.
 */
static enum downgrade_result
fold(struct work *w)
{
	struct buf *to = &w->d->text;
	struct word word;
	size_t was = to->len, pos = w->f->value - w->f->name;

	if (!has_long_line(w->out.p, w->out.len, w->most))
		return buf_add(to, w->out.p, w->out.len) < 0 ? DOWNGRADE_ERROR : DOWNGRADE_SAME;
	if (buf_add(to, w->out.p, pos) < 0)
		return DOWNGRADE_ERROR;
	while (next_word(w->out.p, pos, w->out.len, &word)) {
		if (add_word(to, w->d->eol, w->out.p + word.space, word.begin - word.space, w->out.p + word.begin,
		        word.end - word.begin, w->most) < 0)
			return DOWNGRADE_ERROR;
		pos = word.end;
	}
	if (buf_add(to, w->out.p + pos, w->out.len - pos) < 0)
		return DOWNGRADE_ERROR;
	if (has_long_line(to->p + was, to->len - was, DOWNGRADE_LINE_MAX))
		return refuse(w, DOWNGRADE_REFUSED, "a line is over 998 octets and cannot be folded");
	return DOWNGRADE_SAME;
}

/* Note the name of a field that has changed, after NAMES_SHOWN octets "..." for all others. */
static int
note(struct work *w)
{
	struct buf *b = &w->d->fields;
	size_t n = w->f->name_end - w->f->name;

	if (n > NAME_SHOWN)
		n = NAME_SHOWN;
	if (b->len + n + 1 > NAMES_SHOWN)
		return b->p[b->len - 1] == '.' ? 0 : buf_puts(b, ",...");
	return buf_printf(b, "%s%.*s", b->len > 0 ? "," : "", (int)n, w->text + w->f->name);
}

static enum downgrade_result
take(struct downgrade *d, const char *text, const struct field *f)
{
	struct work w = { .d = d, .text = text, .f = f, .most = DOWNGRADE_LINE_MAX };
	size_t was = d->text.len, n = f->end - f->name;
	enum downgrade_result r = encode(&w);

	if (r == DOWNGRADE_SAME)
		r = fold(&w);
	if (r == DOWNGRADE_SAME && (d->text.len - was != n || memcmp(d->text.p + was, text + f->name, n) != 0) && note(&w) < 0)
		r = DOWNGRADE_ERROR;
	if (r == DOWNGRADE_SAME && buf_add(&d->text, text + f->end, f->next - f->end) < 0)
		r = DOWNGRADE_ERROR;
	buf_free(&w.out);
	return r;
}

enum downgrade_result
downgrade(struct downgrade *d, const char *text, size_t n)
{
	enum downgrade_result r = DOWNGRADE_SAME;
	struct field f;
	size_t pos = 0;
	int more;

	if ((d->keeps_utf8 || !downgrade_has_8bit(text, n)) && !has_long_line(text, n, DOWNGRADE_LINE_MAX))
		return DOWNGRADE_SAME;
	while (r == DOWNGRADE_SAME && (more = header_next(text, n, &pos, &f)) != 0) {
		if (more > 0)
			r = take(d, text, &f);
		else if (buf_add(&d->text, text + f.name, f.next - f.name) < 0) /* a line that is no field stays */
			r = DOWNGRADE_ERROR;
	}
	return r == DOWNGRADE_SAME && d->fields.len > 0 ? DOWNGRADE_CHANGED : r;
}

void
downgrade_free(struct downgrade *d)
{
	buf_free(&d->text);
	buf_free(&d->fields);
	buf_free(&d->why);
}
