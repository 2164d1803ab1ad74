/* ISC licence, see LICENSE. */
#include "mail/strictlist.h"

#include <string.h>
#include <strings.h>

#include "mail/charset.h"
#include "mail/encword.h"

enum {
	WORD_MAX = 998, /* octets; the most that a line has (RFC 5322 2.1.1), and no word goes on in the next line */
	SMALL_AT = 0xfe6b,
};

static const char why_invalid[] = "an address is not valid, or has no domain",
    why_comma[] = "a comma has no address beside it",
    why_mark[] = "a name has an at sign or angle bracket, and is not the address",
    why_control[] = "a name or an address has a control or bidirectional character",
    why_long[] = "a name has a word longer than a line",
    why_encoded[] = "an encoded word in a name is not valid",
    why_hidden[] = "an encoded word has a comma or similar punctuation, which some readers misread";

static const struct charset utf8 = { .kind = CHARSET_UTF8 };

/* A display name, as far as it has been read. */
struct name {
	char text[ADDR_MAILBOX_MAX + 1]; /* the decoded words, to be compared with the address */
	size_t len;
	bool is_long;   /* text has no room for the whole name */
	bool has_words;
	bool has_mark;  /* the name has an "@", "<" or ">" */
	size_t open;    /* parentheses in encoded words that are not closed yet */
	bool in_quotes; /* a quote in encoded words is not closed yet */
};

/* Where the octets of a name stand. */
enum place { PLACE_PLAIN, PLACE_ENCODED, PLACE_ENCODED_IN_QUOTES };

static bool
bad(struct strictlist *l, const char *why)
{
	l->why = why;
	return false;
}

static char
peek(const struct strictlist *l)
{
	return l->pos < l->end ? l->text[l->pos] : '\0';
}

static bool
is_crlf(const struct strictlist *l)
{
	return l->end - l->pos >= 2 && memcmp(l->text + l->pos, "\r\n", 2) == 0;
}

/* An octet of an atom (RFC 5322 3.2.3, RFC 6532 3.2), or a dot, which mail programs write in names as well. */
static bool
is_atom(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c && strchr("!#$%&'*+-/=?^_`{|}~.", c)) || (unsigned char)c > 127;
}

/* Skip white space and folding. Some readers take a line of white space for the end of the header. */
static bool
skip_space(struct strictlist *l)
{
	bool is_blank = false;

	for (;;) {
		if (peek(l) == ' ' || peek(l) == '\t')
			l->pos++;
		else if (!is_crlf(l))
			break;
		else if (is_blank)
			return bad(l, "a line has only white space");
		else {
			is_blank = true;
			l->pos += 2;
		}
	}
	return is_blank && l->pos == l->end ? bad(l, "a line has only white space") : true;
}

/* Say why the octet at l->pos cannot stand there. */
static bool
unexpected(struct strictlist *l)
{
	switch (peek(l)) {
	case ':':
	case ';':
		return bad(l, "a group is not accepted");
	case '(':
	case ')':
		return bad(l, "a comment is not accepted");
	case ',':
		return bad(l, why_comma);
	default:
		return bad(l, why_invalid);
	}
}

/* The first "=?" in s[0..n), or NULL. */
static const char *
find_encoded(const char *s, size_t n)
{
	const char *p = s, *end = s + n;

	while ((p = memchr(p, '=', (size_t)(end - p))) && ++p < end)
		if (*p == '?')
			return p - 1;
	return NULL;
}

static bool
is_paired(const struct name *name)
{
	return name->open == 0 && !name->in_quotes;
}

/* Count c of an encoded word that a reader may see where quotes, commas and comments have a meaning. */
static bool
is_harmless(struct name *name, long c, enum place place)
{
	if (place == PLACE_ENCODED_IN_QUOTES)
		return c != '"' && c != '\\';
	if (c == '"')
		name->in_quotes = !name->in_quotes;
	else if (c == '(' && !name->in_quotes)
		name->open++;
	else if (c == ')' && !name->in_quotes && name->open-- == 0)
		return false;
	return c <= 0 || c > 127 || !strchr(",;:[]\\", (int)c);
}

/* Add the octets s[0..n) to the name. */
static bool
add_octets(struct strictlist *l, struct name *name, struct charset set, const char *s, size_t n, enum place place)
{
	struct charset_text t = { .set = set, .s = s, .n = n };
	size_t room = sizeof name->text - name->len;

	while (t.pos < n) {
		long c = charset_next(&t);

		if (c == CHARSET_INVALID)
			return bad(l, place == PLACE_PLAIN ? "a name is not UTF-8" : why_encoded);
		if (charset_is_control(c))
			return bad(l, why_control);
		name->has_mark |= c == '@' || c == '<' || c == '>' || c == CHARSET_WIDE_AT || c == SMALL_AT;
		if (place != PLACE_PLAIN && !l->any_punctuation && !is_harmless(name, c, place))
			return bad(l, why_hidden);
	}
	name->is_long |= n > room;
	memcpy(name->text + name->len, s, n < room ? n : room);
	name->len += n < room ? n : room;
	return true;
}

/* Add the word s[0..n), which has no space. Some readers decode an encoded word in quotes too. */
static bool
add_word(struct strictlist *l, struct name *name, const char *s, size_t n, bool in_quotes)
{
	struct charset set;
	char decoded[WORD_MAX];
	ssize_t len;

	if (n > WORD_MAX)
		return bad(l, why_long);
	if (!find_encoded(s, n))
		return is_paired(name) ? add_octets(l, name, utf8, s, n, PLACE_PLAIN) : bad(l, why_hidden);
	len = encword_decode(decoded, s, n, &set);
	if (len < 0 || find_encoded(decoded, (size_t)len))
		return bad(l, why_encoded);
	if (set.kind == CHARSET_UNKNOWN)
		return bad(l, "an encoded word has an unknown character set");
	return add_octets(l, name, set, decoded, (size_t)len, in_quotes ? PLACE_ENCODED_IN_QUOTES : PLACE_ENCODED);
}

/* Read the quoted string at l->pos as words of the name. */
static bool
read_quoted(struct strictlist *l, struct name *name)
{
	char plain[WORD_MAX], *word = plain, *space;
	size_t n = 0;

	if (!is_paired(name))
		return bad(l, why_hidden);
	for (l->pos++; peek(l) != '"'; l->pos++) {
		if (is_crlf(l))
			return bad(l, "a line is folded in quotes");
		if (peek(l) == '\\')
			l->pos++;
		if (l->pos >= l->end)
			return bad(l, why_invalid);
		if (n == sizeof plain)
			return bad(l, why_long);
		plain[n++] = peek(l);
	}
	l->pos++;
	while ((space = memchr(word, ' ', (size_t)(plain + n - word)))) {
		if (!add_word(l, name, word, (size_t)(space - word), true) ||
		    !add_octets(l, name, utf8, " ", 1, PLACE_PLAIN))
			return false;
		word = space + 1;
	}
	return add_word(l, name, word, (size_t)(plain + n - word), true);
}

/* Read the address that begins at begin, with its "@" at l->pos. */
static bool
read_address(struct strictlist *l, size_t begin, struct addr *a)
{
	struct charset_text t = { .set = utf8 };
	long c;

	while (is_atom(peek(l)) || peek(l) == '@' || peek(l) == '[' || peek(l) == ']')
		l->pos++;
	if (addr_mailbox(l->text + begin, l->pos - begin, a) < 0)
		return bad(l, why_invalid);
	if (find_encoded(a->text, a->len))
		return bad(l, "an address has an encoded word in it");
	for (t.s = a->text, t.n = a->len; t.pos < t.n; ) {
		c = charset_next(&t);
		if (charset_is_control(c))
			return bad(l, why_control);
		if (c == CHARSET_WIDE_AT || c == SMALL_AT)
			return bad(l, why_invalid);
	}
	return true;
}

/* Read "<addr-spec>" after the name. */
static bool
read_angle(struct strictlist *l, const struct name *name, struct addr *a)
{
	size_t begin = ++l->pos;

	if (!is_paired(name))
		return bad(l, why_hidden);
	if (peek(l) == '@')
		return bad(l, "a source route is not accepted");
	if (!is_atom(peek(l)))
		return unexpected(l);
	if (!read_address(l, begin, a))
		return false;
	if (peek(l) != '>')
		return unexpected(l);
	l->pos++;
	if (name->has_mark &&
	    (name->is_long || name->len != a->len || strncasecmp(name->text, a->text, a->len) != 0))
		return bad(l, why_mark);
	return skip_space(l);
}

/*
 * Read a word of the name, and the space after it: the atom from begin to l->pos, or if that is empty the quoted string
 * at l->pos.
 */
static bool
read_word(struct strictlist *l, struct name *name, size_t begin)
{
	size_t end = l->pos;

	if (name->has_words && !add_octets(l, name, utf8, " ", 1, PLACE_PLAIN))
		return false;
	if (!name->has_words && end > begin && l->text[begin] == '.') /* not even an obs-phrase, RFC 5322 4.1 */
		return bad(l, why_invalid);
	name->has_words = true;
	if (end > begin ? !add_word(l, name, l->text + begin, end - begin, false) :
	    peek(l) == '"' ? !read_quoted(l, name) : !unexpected(l))
		return false;
	end = l->pos;
	if (!skip_space(l))
		return false;
	return l->pos > end || peek(l) == '<' ? true : unexpected(l);
}

/* Read a mailbox. What stands before its "<" is a name. An address begins at the first atom if "@" follows directly. */
static bool
read_mailbox(struct strictlist *l, struct addr *a)
{
	struct name name = { .len = 0 };
	struct addr same;

	while (peek(l) != '<') {
		size_t begin = l->pos;

		while (is_atom(peek(l)))
			l->pos++;
		if (peek(l) != '@' || l->pos == begin) {
			if (!read_word(l, &name, begin))
				return false;
			continue;
		}
		if (name.has_words)
			return bad(l, why_mark);
		if (!read_address(l, begin, a) || !skip_space(l))
			return false;
		if (peek(l) != '<')
			return true;
		if (!read_angle(l, &name, &same))
			return false;
		return strcasecmp(same.text, a->text) == 0 ? true : bad(l, why_mark);
	}
	return read_angle(l, &name, a);
}

void
strictlist_begin(struct strictlist *l, const char *text, size_t begin, size_t end)
{
	*l = (struct strictlist){ .text = text, .pos = begin, .end = end };
}

enum strictlist_result
strictlist_next(struct strictlist *l, struct addr *a)
{
	if (l->begun && l->pos == l->end)
		return STRICTLIST_END;
	l->pos += l->begun; /* the comma */
	if (!skip_space(l))
		return STRICTLIST_BAD;
	if (l->pos == l->end)
		bad(l, l->begun ? why_comma : "there is no address");
	else if (read_mailbox(l, a) && (l->pos == l->end || peek(l) == ',' || unexpected(l))) {
		l->begun = true;
		return STRICTLIST_BOX;
	}
	return STRICTLIST_BAD;
}
