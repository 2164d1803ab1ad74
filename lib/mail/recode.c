/* ISC licence, see LICENSE. */
#include "mail/recode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "mail/edits.h"
#include "mail/mime.h"
#include "mail/transfer.h"
#include "msa/msgfile.h"

enum {
	BLOCK = 57 * 1024, /* octets of a content that are encoded at once */
	QUOTED_MOST = 6,   /* quoted-printable is shorter than base64 while one octet in so many must be encoded */
};

struct work {
	struct recode *r;
	const struct recode_hop *hop;
	int fd;
	struct mime mime;
	struct msgfile m;
	off_t kept;          /* octets up to here are written, or replaced */
	bool is_signed;      /* the message: nothing may change */
	bool is_unclear;     /* a multipart of it: likewise */
	struct buf in, out;  /* a block of a content, and the block encoded */
};

static const char UNCLEAR[] = "cannot be encoded for the next server, since two boundaries are alike";

/* What of a content's text matters for the way in which it is encoded. */
struct sample {
	size_t escapes; /* octets that quoted-printable must encode */
	bool is_utf8;
};

static bool
is_fit(const struct recode_hop *hop, const struct mime_survey *s)
{
	return (!s->is_8bit || hop->takes_8bit) && (hop->takes_binary || (!s->is_binary && s->longest <= RECODE_LINE_MAX));
}

static enum recode_result
refuse(struct work *w, size_t number, const char *what)
{
	if (number == 1)
		snprintf(w->r->why, sizeof w->r->why, "Message %s", what);
	else
		snprintf(w->r->why, sizeof w->r->why, "Part %zu %s", number - 1, what);
	return RECODE_REFUSED;
}

/* Write the octets up to end that stay as they are. */
static int
keep(struct work *w, off_t end)
{
	off_t begin = w->kept;

	w->kept = end;
	return end > begin ? msgfile_add_file(&w->m, w->fd, begin, end - begin) : 0;
}

/* Write the header of item with the edits. */
static int
write_header(struct work *w, const struct mime_item *item, const struct edits *e)
{
	const struct buf *text = &w->mime.header;

	if (keep(w, item->begin) < 0 || edits_write(e, text->p, text->len, &w->m) < 0)
		return -1;
	w->kept = item->begin + (off_t)text->len;
	return 0;
}

/* Collect the edit that makes label the encoding. */
static int
label(struct work *w, struct edits *e, const struct mime_item *item, const char *name)
{
	const char *eol = w->hop->lf ? "\n" : "\r\n";
	struct buf b = { 0 };
	int r;

	if (item->cte.id != FIELD_OTHER) {
		r = buf_printf(&b, " %s", name);
		r = r < 0 ? -1 : edits_add(e, item->cte.value, item->cte.end - item->cte.value, b.p, b.len);
	} else {
		r = buf_printf(&b, "Content-Transfer-Encoding: %s%s", name, eol);
		r = r < 0 ? -1 : edits_add(e, w->mime.header.len, 0, b.p, b.len);
	}
	buf_free(&b);
	return r;
}

/* Collect the fields of MIME that a message without them lacks. */
static int
complete(struct work *w, struct edits *e, const struct mime_item *item, const struct sample *s)
{
	const char *eol = w->hop->lf ? "\n" : "\r\n", *charset = s->is_utf8 ? "utf-8" : w->hop->charset;
	struct buf b = { 0 };
	int r = 0;

	if (!item->is_message || item->has_version)
		return 0;
	r = buf_printf(&b, "MIME-Version: 1.0%s", eol);
	if (r == 0 && !item->has_type && item->content.is_8bit)
		r = buf_printf(&b, "Content-Type: text/plain; charset=%s%s", charset ? charset : "unknown-8bit", eol);
	if (r == 0)
		r = edits_add(e, w->mime.header.len, 0, b.p, b.len);
	buf_free(&b);
	return r;
}

/* Replace a label that names data which the next hop does not take, if the data is not like that. */
static enum recode_result
relabel(struct work *w, const struct mime_item *item)
{
	const char *name = NULL;
	struct edits e = { 0 };
	int r;

	if (item->encoding == MIME_BINARY && !w->hop->takes_binary)
		name = w->hop->takes_8bit ? "8bit" : "7bit";
	else if (item->encoding == MIME_8BIT && !w->hop->takes_8bit)
		name = "7bit";
	if (!name || w->is_signed || w->is_unclear)
		return RECODE_SAME;
	r = label(w, &e, item, name) < 0 || write_header(w, item, &e) < 0 ? -1 : 0;
	edits_free(&e);
	w->r->labels++;
	return r < 0 ? RECODE_ERROR : RECODE_CHANGED;
}

/* Read a content from *off on into w->in, and move *off. Returns 0, or -1 with errno set. */
static int
next_block(struct work *w, off_t *off, off_t end)
{
	size_t n = end - *off < BLOCK ? (size_t)(end - *off) : BLOCK;

	buf_clear(&w->in);
	if (buf_room(&w->in, n) < 0 || file_read(w->fd, w->in.p, n, *off) < 0)
		return -1;
	w->in.len = n;
	*off += (off_t)n;
	return 0;
}

static int
sample(struct work *w, const struct mime_item *item, struct sample *s)
{
	off_t off = item->body;
	size_t i, more = 0; /* octets that the UTF-8 character still needs */

	*s = (struct sample){ .is_utf8 = true };
	while (off < item->end) {
		if (next_block(w, &off, item->end) < 0)
			return -1;
		for (i = 0; i < w->in.len; i++) {
			unsigned char c = (unsigned char)w->in.p[i];

			s->escapes += c > '~' || c == '=' || (c < ' ' && c != '\t' && c != '\r' && c != '\n');
			if (more > 0 && c >> 6 == 2)
				more--;
			else if (more > 0 || c >> 6 == 2 || c > 0xf4 || c == 0xc0 || c == 0xc1) {
				s->is_utf8 = false;
				more = 0;
			} else
				more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		}
	}
	s->is_utf8 &= more == 0;
	return 0;
}

static bool
is_quoted_shorter(const struct mime_item *item, const struct sample *s)
{
	return !item->content.is_binary && (off_t)s->escapes * QUOTED_MOST <= item->end - item->body;
}

static int
write_content(struct work *w, const struct mime_item *item, enum transfer_encoding encoding)
{
	const bool has_lines = (item->kind == MIME_TEXT || item->is_global) && !item->content.is_binary; /* not UTF-16 */
	struct transfer t = { .encoding = encoding, .lf = w->hop->lf, .is_text = has_lines };
	off_t off = item->body;

	if (keep(w, item->body) < 0) /* the empty line */
		return -1;
	while (off < item->end) {
		buf_clear(&w->out);
		if (next_block(w, &off, item->end) < 0 || transfer_add(&t, &w->out, w->in.p, w->in.len) < 0 ||
		    msgfile_add(&w->m, w->out.p, w->out.len) < 0)
			return -1;
	}
	buf_clear(&w->out);
	if (transfer_end(&t, &w->out, item->end == w->mime.size) < 0 || msgfile_add(&w->m, w->out.p, w->out.len) < 0)
		return -1;
	w->kept = item->end;
	return 0;
}

/* Encode a content. */
static enum recode_result
encode(struct work *w, const struct mime_item *item)
{
	enum transfer_encoding encoding = TRANSFER_BASE64;
	struct edits e = { 0 };
	struct sample s;
	int r;

	if (sample(w, item, &s) < 0)
		return RECODE_ERROR;
	if (item->kind == MIME_TEXT && is_quoted_shorter(item, &s))
		encoding = TRANSFER_QUOTED;
	r = item->cte.id == FIELD_OTHER ? complete(w, &e, item, &s) : 0;
	if (r == 0)
		r = label(w, &e, item, encoding == TRANSFER_QUOTED ? "quoted-printable" : "base64");
	if (r == 0 && item->cte.id != FIELD_OTHER)
		r = complete(w, &e, item, &s);
	if (r == 0 && (write_header(w, item, &e) < 0 || write_content(w, item, encoding) < 0))
		r = -1;
	edits_free(&e);
	if (encoding == TRANSFER_QUOTED)
		w->r->quoted++;
	else
		w->r->base64++;
	return r < 0 ? RECODE_ERROR : RECODE_CHANGED;
}

static enum recode_result
take_leaf(struct work *w, const struct mime_item *item)
{
	bool fit = is_fit(w->hop, &item->content);

	if (item->is_global && item->content.is_8bit && !w->hop->takes_utf8)
		fit = false;
	if (fit) {
		w->r->is_8bit |= item->content.is_8bit;
		w->r->has_utf8_header |= item->content.is_8bit && (item->is_global || item->body == item->begin);
		return item->body > item->begin ? relabel(w, item) : RECODE_SAME;
	}
	if (w->is_signed)
		return refuse(w, 1, "is signed and cannot be encoded for the next server");
	if (w->is_unclear)
		return refuse(w, item->number, UNCLEAR);
	if (item->kind == MIME_SEALED)
		return refuse(w, item->number, "is signed or encrypted and cannot be encoded for the next server");
	if (item->kind == MIME_OPAQUE || item->encoding == MIME_ENCODED)
		return refuse(w, item->number, "cannot be encoded for the next server");
	return encode(w, item);
}

/* A header or a frame cannot be encoded. Long lines are no fault of theirs that was not there before. */
static enum recode_result
take_frame(struct work *w, size_t number, const struct mime_survey *s, const char *what)
{
	if ((s->is_8bit && !w->hop->takes_8bit) || (s->is_binary && !w->hop->takes_binary))
		return refuse(w, number, what);
	w->r->is_8bit |= s->is_8bit;
	return RECODE_SAME;
}

static bool
has_changed(const struct work *w)
{
	return w->r->quoted > 0 || w->r->base64 > 0 || w->r->labels > 0;
}

static enum recode_result
take(struct work *w, enum mime_event event, const struct mime_item *item)
{
	enum recode_result r;

	if (event == MIME_FRAME)
		return take_frame(w, 1, &item->content, "has 8-bit data outside of its parts");
	w->is_signed |= item->number == 1 && item->is_signed;
	w->is_unclear |= item->is_unclear;
	if (item->is_unclear && has_changed(w))
		return refuse(w, item->number, UNCLEAR);
	if (item->body > item->begin) {
		r = take_frame(w, item->number, &item->header, "has 8-bit data in its header");
		if (r != RECODE_SAME)
			return r;
		w->r->has_utf8_header |= item->header.is_8bit;
	}
	return event == MIME_HEAD ? relabel(w, item) : take_leaf(w, item);
}

/* Go through the parts. */
static enum recode_result
walk(struct work *w, int *out)
{
	enum recode_result r = RECODE_SAME, one;
	enum mime_event event;
	struct mime_item item;

	while ((event = mime_next(&w->mime, &item)) != MIME_END) {
		if (event == MIME_ERROR)
			return RECODE_ERROR;
		one = take(w, event, &item);
		if (one == RECODE_REFUSED || one == RECODE_ERROR)
			return one;
		if (one == RECODE_CHANGED)
			r = one;
	}
	if (r == RECODE_CHANGED && (keep(w, w->mime.size) < 0 || (*out = msgfile_finish(&w->m)) < 0))
		return RECODE_ERROR;
	return r;
}

enum recode_result
recode(struct recode *r, const struct recode_hop *hop, int fd, int *out)
{
	struct work w = { .r = r, .hop = hop, .fd = fd };
	enum recode_result result = RECODE_ERROR;
	struct mime_survey all;
	int e;

	*r = (struct recode){ 0 };
	if (mime_begin(&w.mime, fd, hop->lf) == 0 && mime_look(&w.mime, &all) == 0) {
		r->is_8bit = all.is_8bit;
		if (is_fit(hop, &all) && !hop->was_binary && (hop->takes_utf8 || !all.is_8bit))
			result = RECODE_SAME;
		else {
			r->is_8bit = false;
			result = walk(&w, out);
		}
	}
	e = errno;
	mime_free(&w.mime);
	msgfile_free(&w.m);
	buf_free(&w.in);
	buf_free(&w.out);
	errno = e;
	return result;
}
