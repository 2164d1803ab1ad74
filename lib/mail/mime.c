/* ISC licence, see LICENSE. */
#include "mail/mime.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"

enum {
	BLOCK = 65536, /* octets of the file that are read at once */
	LANES = 16,    /* octets examined side by side: compilers make vector instructions of that */
};

/* The file from off on, in memory. */
struct window {
	const char *p;
	size_t n;
	bool is_all; /* up to the end of the file */
};

/* Have at least MIME_DELIMITER_MAX octets, or what is left of the file. Returns 0, or -1 with errno set. */
static int
look_at(struct mime *m, off_t off, struct window *w)
{
	off_t left = m->size - off, end = m->block_off + (off_t)m->block.len;

	if (off < m->block_off || off > end || (end < m->size && end - off < MIME_DELIMITER_MAX)) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		buf_clear(&m->block);
		if (buf_room(&m->block, n + 1) < 0 || file_read(m->fd, m->block.p, n, off) < 0)
			return -1;
		m->block.len = n;
		m->block_off = off;
		end = off + (off_t)n;
	}
	w->p = m->block.p + (off - m->block_off);
	w->n = (size_t)(end - off);
	w->is_all = end == m->size;
	return 0;
}

/* Surveys */

static inline void
octet(unsigned char *high, unsigned char *wrong, unsigned char c, unsigned char before)
{
	*high |= c;
	*wrong |= (unsigned char)((c == '\n') ^ (before == '\r')) | (unsigned char)(c == '\0');
}

static inline void
octet_lf(unsigned char *high, unsigned char *wrong, unsigned char c)
{
	*high |= c;
	*wrong |= (unsigned char)((c == '\r') | (c == '\0'));
}

/* Add n octets to s, but for the lengths of lines. before is the octet before them. */
static void
survey(struct mime_survey *s, const char *text, size_t n, unsigned char before, bool lf)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char high[LANES] = { 0 }, wrong[LANES] = { 0 };
	size_t i;

	if (n == 0)
		return;
	if (lf)
		octet_lf(high, wrong, *p);
	else
		octet(high, wrong, *p, before);
	p++;
	n--;
	for (; n >= LANES; n -= LANES, p += LANES)
		for (i = 0; i < LANES; i++)
			if (lf)
				octet_lf(&high[i], &wrong[i], p[i]);
			else
				octet(&high[i], &wrong[i], p[i], p[(ptrdiff_t)i - 1]);
	for (i = 0; i < n; i++)
		if (lf)
			octet_lf(&high[i], &wrong[i], p[i]);
		else
			octet(&high[i], &wrong[i], p[i], p[(ptrdiff_t)i - 1]);
	for (i = 0; i < LANES; i++) {
		s->is_8bit |= high[i] > 127;
		s->is_binary |= wrong[i];
	}
}

/* Delimiters */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Returns true if p[0..n) is white space, after a "--" which sets *close. */
static bool
is_delimiter_end(const char *p, size_t n, bool *close)
{
	*close = n >= 2 && memcmp(p, "--", 2) == 0;
	if (*close) {
		p += 2;
		n -= 2;
	}
	while (n > 0 && is_wsp(p[n - 1]))
		n--;
	return n == 0;
}

/*
 * Returns the level whose delimiter is the line at the window's start, or -1. *len is the line's length with its end.
 * An outer multipart ends all those within it (RFC 2046 5.1.2).
 */
static int
find_delimiter(const struct mime *m, const struct window *w, size_t *len, bool *close)
{
	size_t most = w->n < MIME_DELIMITER_MAX ? w->n : MIME_DELIMITER_MAX, n, i;
	const char *lf;

	if (most < 2 || memcmp(w->p, "--", 2) != 0)
		return -1;
	lf = memchr(w->p, '\n', most);
	if (!lf && (!w->is_all || most < w->n))
		return -1;
	n = lf ? (size_t)(lf - w->p) : most;
	*len = lf ? n + 1 : n;
	if (lf && !m->lf && w->p[--n] != '\r')
		return -1;
	for (i = 0; i < m->depth; i++) {
		size_t known = 2 + m->level[i].len;

		if (n >= known && memcmp(w->p + 2, m->level[i].boundary, m->level[i].len) == 0 &&
		    is_delimiter_end(w->p + known, n - known, close))
			return (int)i;
	}
	return -1;
}

/*
 * Survey from *off, the start of a line, to the next delimiter, and move *off there. *level is that of the delimiter,
 * -1 at the end of the file. Returns 0, or -1 with errno set.
 */
static int
find_end(struct mime *m, off_t *off, struct mime_survey *s, int *level, size_t *len, bool *close)
{
	bool line_start = true;
	size_t line = 0, i;
	char before = '\n'; /* so that an LF at the start is bare, and no CR waits for one */

	*level = -1;
	while (*off < m->size && *level < 0) {
		struct window w, line_window;

		if (look_at(m, *off, &w) < 0)
			return -1;
		for (i = 0; i < w.n;) {
			const char *lf;
			size_t n;

			if (line_start) {
				line_window = (struct window){ .p = w.p + i, .n = w.n - i, .is_all = w.is_all };
				if (!w.is_all && line_window.n < MIME_DELIMITER_MAX)
					break;
				*level = find_delimiter(m, &line_window, len, close);
				if (*level >= 0)
					break;
			}
			lf = memchr(w.p + i, '\n', w.n - i);
			n = lf ? (size_t)(lf - w.p) + 1 - i : w.n - i;
			line += n;
			line_start = lf && (m->lf || (lf > w.p ? lf[-1] : before) == '\r');
			if (line_start || *off + (off_t)(i + n) == m->size) {
				size_t end = line_start ? (m->lf ? 1 : 2) : 0;

				if (line - end > s->longest)
					s->longest = line - end;
				line = 0;
			}
			i += n;
		}
		survey(s, w.p, i, (unsigned char)before, m->lf);
		before = i > 0 ? w.p[i - 1] : before;
		*off += (off_t)i;
	}
	s->is_binary |= before == '\r';
	return 0;
}

int
mime_look(struct mime *m, struct mime_survey *s)
{
	off_t off = 0;
	bool close;
	size_t len, depth = m->depth;
	int level, r;

	*s = (struct mime_survey){ 0 };
	m->depth = 0;
	r = find_end(m, &off, s, &level, &len, &close);
	m->depth = depth;
	return r;
}

/* Fields */

/* A structured field that is being read: text[pos..end). */
struct scanner {
	const char *text;
	size_t pos, end;
};

/* Skip white space, line ends and comments (RFC 5322 3.2.2). Returns 0, or -1: a comment does not end, and stays. */
static int
skip_cfws(struct scanner *s)
{
	size_t depth = 0, i;

	for (i = s->pos; i < s->end; i++) {
		char c = s->text[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (depth == 0 && !is_wsp(c) && c != '\r' && c != '\n')
			break;
	}
	if (depth > 0)
		return -1;
	s->pos = i;
	return 0;
}

/* Take one character. Returns true if it was there, and white space and comments around it are skipped. */
static bool
take(struct scanner *s, char c)
{
	if (skip_cfws(s) < 0 || s->pos >= s->end || s->text[s->pos] != c)
		return false;
	s->pos++;
	return skip_cfws(s) == 0;
}

/* Take a token (RFC 2045 5.1). Returns its length with *token set, or 0 if no token begins here. */
static size_t
take_token(struct scanner *s, const char **token)
{
	size_t begin;

	*token = s->text + s->pos;
	if (skip_cfws(s) < 0)
		return 0;
	for (begin = s->pos; s->pos < s->end; s->pos++) {
		char c = s->text[s->pos];

		if (c <= ' ' || c > '~' || strchr("()<>@,;:\\\"/[]?=", c))
			break;
	}
	*token = s->text + begin;
	return s->pos - begin;
}

static bool
is_word(const char *token, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(token, word, n) == 0;
}

/*
 * Take the value of a parameter, in quotes or as mail programs write it without: with signs that a token may not have.
 * Only a boundary without brackets, backslashes and quotes is taken, which every reader understands in the same way.
 * Returns its length with out set, or 0: it is invalid or longer than MIME_BOUNDARY_MAX.
 */
static size_t
take_value(struct scanner *s, char out[MIME_BOUNDARY_MAX + 1])
{
	bool quoted = s->pos < s->end && s->text[s->pos] == '"';
	size_t n = 0;

	for (s->pos += quoted; s->pos < s->end; s->pos++) {
		char c = s->text[s->pos];

		if (quoted ? c == '"' : c == ';' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
			break;
		if (c < ' ' || c > '~' || strchr("<>\\\"", c) || (!quoted && strchr("()", c)) || n == MIME_BOUNDARY_MAX)
			return 0;
		out[n++] = c;
	}
	out[n] = '\0';
	if (quoted && s->pos++ >= s->end)
		return 0;
	return n > 0 && out[n - 1] != ' ' ? n : 0;
}

/* Skip the value of a parameter that does not matter. Returns 0, or -1: it does not end. */
static int
skip_value(struct scanner *s)
{
	if (s->pos < s->end && s->text[s->pos] == '"') {
		for (s->pos++; s->pos < s->end && s->text[s->pos] != '"'; s->pos++)
			if (s->text[s->pos] == '\\')
				s->pos++;
		return s->pos++ < s->end ? 0 : -1;
	}
	while (s->pos < s->end && !strchr("; \t\r\n(\"", s->text[s->pos]))
		s->pos++;
	return 0;
}

/* Find the one boundary among the parameters of a multipart. Returns 0, or -1 if none is certain. */
static int
take_boundary(struct scanner *s, struct mime_level *level)
{
	const char *name;

	level->len = 0;
	while (take(s, ';')) {
		size_t n = take_token(s, &name);

		if (n == 0)
			continue; /* a semicolon at the end */
		if (!take(s, '=') || (n > 8 && strncasecmp(name, "boundary*", 9) == 0)) /* RFC 2231: in pieces */
			return -1;
		if (!is_word(name, n, "boundary")) {
			if (skip_value(s) < 0)
				return -1;
			continue;
		}
		if (level->len > 0)
			return -1;
		level->len = take_value(s, level->boundary);
		if (level->len == 0)
			return -1;
	}
	return skip_cfws(s) == 0 && s->pos >= s->end && level->len > 0 ? 0 : -1;
}

static enum mime_encoding
encoding_of(const char *text, const struct field *f)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} known[] = { { "7bit", MIME_7BIT }, { "8bit", MIME_8BIT }, { "binary", MIME_BINARY } };
	struct scanner s = { .text = text, .pos = f->value, .end = f->end };
	const char *token;
	size_t n = take_token(&s, &token), i;

	if (skip_cfws(&s) < 0 || s.pos < s.end)
		return MIME_ENCODED;
	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (is_word(token, n, known[i].name))
			return known[i].encoding;
	return MIME_ENCODED;
}

/* What a header says about what follows it. */
enum follows { FOLLOWS_CONTENT, FOLLOWS_MESSAGE, FOLLOWS_PARTS };

/* Find out what Content-Type says; a multipart's boundary goes to level. */
static enum follows
examine_type(const char *text, const struct field *f, struct mime_item *item, struct mime_level *level)
{
	struct scanner s = { .text = text, .pos = f->value, .end = f->end };
	const char *type, *sub = NULL;
	size_t n = take_token(&s, &type), k = n > 0 && take(&s, '/') ? take_token(&s, &sub) : 0;

	item->kind = MIME_OPAQUE;
	if (k == 0 || skip_cfws(&s) < 0 || (s.pos < s.end && s.text[s.pos] != ';'))
		return FOLLOWS_CONTENT;
	if (is_word(type, n, "multipart")) {
		if (is_word(sub, k, "signed") || is_word(sub, k, "encrypted")) {
			item->kind = MIME_SEALED;
			(void)take_boundary(&s, level); /* is_open needs it */
			return FOLLOWS_CONTENT;
		}
		level->is_digest = is_word(sub, k, "digest");
		return take_boundary(&s, level) < 0 ? FOLLOWS_CONTENT : FOLLOWS_PARTS;
	}
	if (is_word(type, n, "message")) {
		item->is_global = is_word(sub, k, "global");
		if (item->is_global)
			item->kind = MIME_DATA;
		return is_word(sub, k, "rfc822") ? FOLLOWS_MESSAGE : FOLLOWS_CONTENT;
	}
	if (is_word(type, n, "application") && (is_word(sub, k, "pkcs7-mime") || is_word(sub, k, "x-pkcs7-mime")))
		item->kind = MIME_SEALED;
	else
		item->kind = is_word(type, n, "text") ? MIME_TEXT : MIME_DATA;
	return FOLLOWS_CONTENT;
}

/* Returns true if a delimiter of level could be one of an open multipart, perhaps the last one. */
static bool
is_open(const struct mime *m, const struct mime_level *level)
{
	size_t i;

	for (i = 0; i < m->depth; i++) {
		const struct mime_level *a = &m->level[i], *b = level;
		size_t n = a->len < b->len ? a->len : b->len;
		const char *rest = a->len < b->len ? b->boundary + n : a->boundary + n;

		if (memcmp(a->boundary, b->boundary, n) == 0 && (!*rest || strcmp(rest, "--") == 0))
			return true;
	}
	return false;
}

/* Examine the header in m->header. A header that is not clear makes the item MIME_OPAQUE. */
static enum follows
examine(struct mime *m, struct mime_item *item, struct mime_level *level)
{
	const char *text = m->header.p;
	enum follows follows = m->is_digest ? FOLLOWS_MESSAGE : FOLLOWS_CONTENT;
	struct field f;
	size_t pos = 0;
	int more;

	item->kind = MIME_TEXT;
	while ((more = header_next(text, m->header.len, &pos, &f)) > 0) {
		if ((f.id == FIELD_CONTENT_TYPE && item->has_type) || (f.id == FIELD_CONTENT_ENCODING && item->cte.id)) {
			item->kind = MIME_OPAQUE;
			return FOLLOWS_CONTENT;
		}
		if (f.id == FIELD_CONTENT_TYPE) {
			item->has_type = true;
			follows = examine_type(text, &f, item, level);
		} else if (f.id == FIELD_CONTENT_ENCODING) {
			item->cte = f;
			item->encoding = encoding_of(text, &f);
		} else if (f.id == FIELD_MIME_VERSION)
			item->has_version = true;
		else if (item->is_message && field_is(text, &f, "DKIM-Signature"))
			item->is_signed = true;
	}
	item->is_unclear = level->len > 0 && is_open(m, level);
	if (more < 0 || (follows != FOLLOWS_CONTENT && item->encoding == MIME_ENCODED) ||
	    (follows == FOLLOWS_PARTS && m->depth == MIME_DEPTH_MAX)) {
		item->kind = MIME_OPAQUE;
		return FOLLOWS_CONTENT;
	}
	return follows;
}

/*
 * Read the header at *off into m->header, and move *off after it and its empty line. Returns 1, 0: it is too long, or
 * -1 with errno set.
 */
static int
read_header(struct mime *m, off_t *off, struct mime_survey *s)
{
	size_t max = m->number == 1 ? HEADER_MAX : MIME_HEADER_MAX, len, i = 0;
	bool line_start = true, close;
	char before = '\n';
	struct window w;

	buf_clear(&m->header);
	if (buf_room(&m->header, 1) < 0)
		return -1;
	m->header.p[0] = '\0';
	for (; *off < m->size; *off += (off_t)i) {
		const char *lf;

		if (look_at(m, *off, &w) < 0)
			return -1;
		if (line_start && find_delimiter(m, &w, &len, &close) >= 0)
			break;
		lf = memchr(w.p, '\n', w.n);
		i = lf ? (size_t)(lf - w.p) + 1 : w.n;
		if (line_start && lf && (m->lf ? i == 1 : i == 2 && *w.p == '\r')) {
			*off += (off_t)i;
			break;
		}
		if (m->header.len + i > max)
			return 0;
		survey(s, w.p, i, (unsigned char)before, m->lf);
		if (buf_add(&m->header, w.p, i) < 0)
			return -1;
		line_start = lf != NULL;
		before = w.p[i - 1];
	}
	s->is_binary |= before == '\r';
	return 1;
}

/* Events */

/* After a content: everything up to the next header. */
static enum mime_event
next_frame(struct mime *m, struct mime_item *item)
{
	int level = -1;
	size_t len;
	bool close = true;

	while (close && m->off < m->size) {
		if (find_end(m, &m->off, &item->content, &level, &len, &close) < 0)
			return MIME_ERROR;
		if (level < 0)
			break;
		m->off += (off_t)len;
		m->depth = (size_t)level + !close;
	}
	m->at_header = level >= 0 && !close;
	m->is_message = false;
	m->is_digest = m->at_header && m->level[level].is_digest;
	item->body = item->end = m->off;
	return MIME_FRAME;
}

/* A content up to the next delimiter, whose line end before it is not part of the content (RFC 2046 5.1.1). */
static enum mime_event
next_leaf(struct mime *m, struct mime_item *item)
{
	off_t off = item->body;
	size_t len;
	bool close;
	int level;

	if (find_end(m, &off, &item->content, &level, &len, &close) < 0)
		return MIME_ERROR;
	if (level >= 0 && off > item->body)
		off -= m->lf ? 1 : 2;
	m->off = item->end = off;
	m->at_header = false;
	return MIME_LEAF;
}

static enum mime_event
next_header(struct mime *m, struct mime_item *item)
{
	struct mime_level level = { .len = 0 };
	enum follows follows = FOLLOWS_CONTENT;
	int r;

	item->number = ++m->number;
	item->is_message = m->is_message;
	r = read_header(m, &m->off, &item->header);
	if (r < 0)
		return MIME_ERROR;
	item->kind = MIME_OPAQUE;
	if (r > 0)
		follows = examine(m, item, &level);
	item->body = item->end = m->off;
	switch (follows) {
	case FOLLOWS_CONTENT:
		if (item->kind == MIME_SEALED || item->kind == MIME_OPAQUE)
			item->body = item->begin;
		return next_leaf(m, item);
	case FOLLOWS_MESSAGE:
		m->is_message = true;
		m->is_digest = false;
		break;
	case FOLLOWS_PARTS:
		m->level[m->depth++] = level;
		m->at_header = false;
		break;
	}
	return MIME_HEAD;
}

enum mime_event
mime_next(struct mime *m, struct mime_item *item)
{
	*item = (struct mime_item){ .begin = m->off };
	if (m->at_header)
		return next_header(m, item);
	return m->off < m->size ? next_frame(m, item) : MIME_END;
}

int
mime_begin(struct mime *m, int fd, bool lf)
{
	*m = (struct mime){ .fd = fd, .lf = lf, .at_header = true, .is_message = true };
	m->size = file_size(fd);
	return m->size < 0 ? -1 : 0;
}

void
mime_free(struct mime *m)
{
	buf_free(&m->header);
	buf_free(&m->block);
	*m = (struct mime){ .size = 0 };
}
