/* ISC licence, see LICENSE. */
#include "mail/addrlist.h"

#include <string.h>
#include <strings.h>

static bool
is_atext(char c) /* RFC 5322 3.2.3, RFC 6532 3.2 */
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) || (unsigned char)c > 127;
}

/* White space at i. CR LF in a field's value is always folding; without it the next line would be another field. */
static bool
is_space(const char *s, size_t i, size_t end)
{
	return s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || (s[i] == '\r' && i + 1 < end && s[i + 1] == '\n');
}

/* An octet that even a comment or a quoted string may have only after a backslash. */
static bool
is_forbidden(const char *s, size_t i, size_t end)
{
	return s[i] == '\0' || (s[i] == '\r' && !is_space(s, i, end));
}

bool
addrlist_skip_cfws(const char *s, size_t *pos, size_t end)
{
	size_t depth = 0, i;

	for (i = *pos; i < end; i++) {
		if (depth > 0 && s[i] == '\\')
			i++;
		else if (s[i] == '(')
			depth++;
		else if (depth > 0 && s[i] == ')')
			depth--;
		else if (depth > 0 ? is_forbidden(s, i, end) : !is_space(s, i, end))
			break;
	}
	*pos = i < end ? i : end;
	return depth == 0;
}

/* Move *pos after the quoted string or domain literal that begins there. Returns false if it has no end. */
static bool
skip_quoted(const char *s, size_t *pos, size_t end, char close)
{
	size_t i;

	for (i = *pos + 1; i < end && s[i] != close; i++) {
		if (s[i] == '\\')
			i++;
		else if (is_forbidden(s, i, end) || (close == ']' && s[i] == '['))
			break;
	}
	*pos = i < end ? i : end;
	if (i >= end || s[i] != close)
		return false;
	*pos = i + 1;
	return true;
}

static char
peek(const struct addrlist *l)
{
	return l->pos < l->end ? l->text[l->pos] : '\0';
}

static bool
skip(struct addrlist *l)
{
	return addrlist_skip_cfws(l->text, &l->pos, l->end);
}

/* Words and dots: a display name or a local part. Only what follows shows which of the two it is. */
struct words {
	size_t begin, end; /* from the first word or dot to the end of the last */
	bool is_phrase, is_local; /* valid as a display name; as a local part */
};

static bool
read_words(struct addrlist *l, struct words *w)
{
	bool after_word = false;

	*w = (struct words){ .begin = l->pos, .end = l->pos, .is_phrase = peek(l) != '.', .is_local = true };
	for (;;) {
		char c = peek(l);

		if (c == '.') {
			w->is_local &= after_word;
			after_word = false;
			l->pos++;
		} else if (c == '"' || is_atext(c)) {
			w->is_local &= !after_word;
			after_word = true;
			if (c == '"') {
				if (!skip_quoted(l->text, &l->pos, l->end, '"'))
					return false;
			} else
				while (is_atext(peek(l)))
					l->pos++;
		} else
			break;
		w->end = l->pos;
		if (!skip(l))
			return false;
	}
	w->is_phrase &= w->end > w->begin;
	w->is_local &= after_word && addr_is_utf8(l->text + w->begin, w->end - w->begin);
	return true;
}

/* Read a domain, after its '@', and skip white space and comments after it. */
static bool
read_domain(struct addrlist *l, struct addrlist_item *m)
{
	if (!skip(l))
		return false;
	m->domain = l->pos;
	m->labels = 0;
	m->is_literal = peek(l) == '[';
	if (m->is_literal) {
		m->label = l->pos;
		m->labels = 1;
		if (!skip_quoted(l->text, &l->pos, l->end, ']'))
			return false;
		m->domain_end = l->pos;
	} else
		for (;;) {
			m->label = l->pos;
			m->labels++;
			while (is_atext(peek(l)))
				l->pos++;
			if (l->pos == m->label)
				return false;
			m->domain_end = l->pos;
			if (!skip(l))
				return false;
			if (peek(l) != '.')
				break;
			l->pos++;
			if (!skip(l))
				return false;
		}
	return addr_is_utf8(l->text + m->domain, m->domain_end - m->domain) && skip(l);
}

/* Skip an obs-route (RFC 5322 4.4), "@a,,@b:". *found: there was one. Returns false if it is invalid. */
static bool
read_route(struct addrlist *l, bool *found)
{
	struct addrlist_item ignored;
	size_t begin = l->pos;

	*found = false;
	for (;;) {
		char c = peek(l);

		if (c == '@') {
			*found = true;
			l->pos++;
			if (!read_domain(l, &ignored))
				return false;
			if (peek(l) != ',' && peek(l) != ':')
				return false;
		} else if (c == ',') {
			l->pos++;
			if (!skip(l))
				return false;
		} else
			break;
	}
	if (!*found)
		return l->pos == begin;
	if (peek(l) != ':')
		return false;
	l->pos++;
	return skip(l);
}

/* Take w as the local part, and read the "@domain" after it if there is one. */
static bool
read_address(struct addrlist *l, const struct words *w, struct addrlist_item *m)
{
	if (!w->is_local)
		return false;
	m->local = w->begin;
	m->local_end = w->end;
	if (peek(l) != '@')
		return true;
	l->pos++;
	return read_domain(l, m);
}

/* Read what follows '<', up to and including '>'. */
static bool
read_angle(struct addrlist *l, struct addrlist_item *m)
{
	struct words w;
	bool route;

	if (!skip(l) || !read_route(l, &route) || !read_words(l, &w) || !read_address(l, &w, m) || peek(l) != '>' ||
	    (route && m->labels == 0))
		return false;
	l->pos++;
	return skip(l);
}

/*
 * Read "<addr-spec>" after m, an address without quotes that turns out to be the name of the same address. Returns
 * false if the two differ.
 */
static bool
read_again(struct addrlist *l, struct addrlist_item *m)
{
	struct addrlist_item name = *m;
	struct addr a, b;
	size_t i;

	for (i = name.local; i < name.domain_end; i++)
		if (!is_atext(l->text[i]) && !strchr(".@[]", l->text[i])) /* in quotes another name than now */
			return false;
	*m = (struct addrlist_item){ .name = name.local, .name_end = name.domain_end, .in_group = name.in_group };
	m->lacks_quotes = true;
	l->pos++;
	return name.labels > 0 && read_angle(l, m) && addrlist_addr(l->text, &name, &a) == 0 &&
	    addrlist_addr(l->text, m, &b) == 0 && strcasecmp(a.text, b.text) == 0;
}

/*
 * Read on in a display name with brackets, which are no words outside quotes, to the "<" after it. Returns false if the
 * name has an octet that might mean something else.
 */
static bool
read_bracketed(struct addrlist *l, struct words *w)
{
	size_t i;

	for (; is_atext(peek(l)) || (peek(l) && strchr(" \t.[]", peek(l))); l->pos++)
		if (peek(l) != ' ' && peek(l) != '\t')
			w->end = l->pos + 1;
	for (i = w->begin; i + 1 < w->end; i++)
		if (l->text[i] == '=' && l->text[i + 1] == '?') /* an encoded word, which must not stand in quotes */
			return false;
	return peek(l) == '<' && !memchr(l->text + w->begin, '"', w->end - w->begin) &&
	    !memchr(l->text + w->begin, '(', w->end - w->begin) && !memchr(l->text + w->begin, '\n', w->end - w->begin);
}

void
addrlist_begin(struct addrlist *list, const char *text, size_t begin, size_t end)
{
	*list = (struct addrlist){ .text = text, .pos = begin, .end = end };
}

/* An address may end here: at a comma, at the end of the group, at the end of the text. */
static bool
at_separator(const struct addrlist *l)
{
	return l->pos == l->end || peek(l) == ',' || (l->in_group && peek(l) == ';');
}

enum addrlist_result
addrlist_next(struct addrlist *l, struct addrlist_item *m)
{
	struct words w;

	for (;;) {
		if (!skip(l))
			return ADDRLIST_BAD;
		if (l->pos == l->end)
			return l->in_group ? ADDRLIST_BAD : ADDRLIST_END;
		*m = (struct addrlist_item){ .in_group = l->in_group };
		if (peek(l) == ',') {
			l->pos++;
			continue;
		}
		if (peek(l) == ';' && l->in_group) {
			l->in_group = false;
			l->pos++;
			if (!skip(l) || !at_separator(l))
				return ADDRLIST_BAD;
			continue;
		}
		if (!read_words(l, &w))
			return ADDRLIST_BAD;
		if (peek(l) == ':' && !l->in_group && w.is_phrase) {
			l->in_group = true;
			l->addresses++;
			l->pos++;
			continue;
		}
		if (peek(l) && strchr("[]", peek(l))) {
			if (!read_bracketed(l, &w))
				return ADDRLIST_BAD;
			m->lacks_quotes = w.is_phrase = true;
		}
		if (peek(l) == '<' && (w.is_phrase || w.begin == w.end)) {
			m->name = w.begin;
			m->name_end = w.end;
			l->pos++;
			if (!read_angle(l, m))
				return ADDRLIST_BAD;
		} else {
			m->is_bare = true;
			if (!read_address(l, &w, m) || (peek(l) == '<' && !read_again(l, m)))
				return ADDRLIST_BAD;
		}
		if (!at_separator(l))
			return ADDRLIST_BAD;
		l->addresses += !l->in_group;
		return ADDRLIST_BOX;
	}
}

bool
addrlist_is_msg_id(const char *text, size_t begin, size_t end)
{
	struct addrlist l;
	struct addrlist_item m = { .labels = 0 };
	struct words w;

	addrlist_begin(&l, text, begin, end);
	if (!skip(&l) || peek(&l) != '<')
		return false;
	l.pos++;
	if (!skip(&l) || !read_words(&l, &w) || !read_address(&l, &w, &m) || m.labels == 0 || peek(&l) != '>')
		return false;
	l.pos++;
	return skip(&l) && l.pos == l.end;
}

/* addrlist_addr builds a path; addr_path then makes it canonical. */
struct path {
	char text[2 * ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 8];
	size_t len;
	bool full;
};

static void
put(struct path *p, char c)
{
	if (p->len < sizeof p->text)
		p->text[p->len++] = c;
	else
		p->full = true;
}

/* Append s[i..end), a local part or domain, without comments, quotes, folding, and white space outside quotes. */
static void
put_plain(struct path *p, const char *s, size_t i, size_t end, bool quote)
{
	bool quoted = false;

	while (i < end && !p->full) {
		if (!quoted && (s[i] == '(' || is_space(s, i, end))) {
			addrlist_skip_cfws(s, &i, end);
			continue;
		}
		if (quote && s[i] == '"') {
			quoted = !quoted;
			i++;
			continue;
		}
		if (s[i] == '\\' && i + 1 < end)
			i++;
		else if (s[i] == '\n' || s[i] == '\r') { /* folding inside quotes */
			i++;
			continue;
		}
		if (quote && (s[i] == '"' || s[i] == '\\'))
			put(p, '\\');
		put(p, s[i++]);
	}
}

int
addrlist_addr(const char *text, const struct addrlist_item *m, struct addr *a)
{
	bool quote = memchr(text + m->local, '"', m->local_end - m->local); /* else the words are atoms */
	struct path p = { .len = 0 };
	size_t used;

	put(&p, '<');
	if (quote)
		put(&p, '"');
	put_plain(&p, text, m->local, m->local_end, true);
	if (quote)
		put(&p, '"');
	if (m->labels > 0) {
		put(&p, '@');
		put_plain(&p, text, m->domain, m->domain_end, false);
	}
	put(&p, '>');
	return !p.full && addr_path(p.text, p.len, a, &used) == 0 && used == p.len ? 0 : -1;
}

bool
addrlist_is_blank(const char *text, size_t begin, size_t end)
{
	while (begin < end && is_space(text, begin, end))
		begin++;
	return begin == end;
}
