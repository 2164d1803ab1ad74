/* ISC licence, see LICENSE. */
#include "signature.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/number.h"
#include "mail/relaxed.h"
#include "mail/taglist.h"

static const char our_name[] = "DKIM-Signature";

/*
 * How often a field is named in h=: RFC 6376 5.4.2, 8.15. One name more than there are fields means that none may be
 * added.
 */
enum times {
	AS_THERE,
	AND_ONE_IF_THERE,
	AND_ONE,
};

/* The fields that are signed, RFC 6376 5.4.1, and those that say how the body is read. In this order in h=. */
static const struct {
	const char *name;
	enum times times;
} signed_fields[] = {
	{ "From", AND_ONE },
	{ "Reply-To", AND_ONE },
	{ "Subject", AND_ONE },
	{ "Date", AND_ONE },
	{ "To", AND_ONE },
	{ "Cc", AND_ONE },
	{ "Message-ID", AND_ONE_IF_THERE },
	{ "In-Reply-To", AS_THERE },
	{ "References", AS_THERE },
	{ "MIME-Version", AND_ONE_IF_THERE },
	{ "Content-Type", AND_ONE_IF_THERE },
	{ "Content-Transfer-Encoding", AND_ONE_IF_THERE },
	{ "Content-ID", AS_THERE },
	{ "Content-Description", AS_THERE },
	{ "Resent-Date", AS_THERE },
	{ "Resent-From", AS_THERE },
	{ "Resent-To", AS_THERE },
	{ "Resent-Cc", AS_THERE },
	{ "List-Id", AS_THERE },
	{ "List-Help", AS_THERE },
	{ "List-Unsubscribe", AS_THERE },
	{ "List-Unsubscribe-Post", AS_THERE },
	{ "List-Subscribe", AS_THERE },
	{ "List-Post", AS_THERE },
	{ "List-Owner", AS_THERE },
	{ "List-Archive", AS_THERE },
};
enum { SIGNED = sizeof signed_fields / sizeof *signed_fields };

/* The fields of a message that are signed, as they come. */
struct found {
	struct { struct field field; int which; } v[SIGNATURE_FIELDS_MAX];
	size_t n;
};

static enum signature_result
unfit(struct signature *s, const char *why)
{
	s->why = why;
	return SIGNATURE_UNFIT;
}

static enum signature_result
find_fields(struct signature *s, struct found *found)
{
	const char *text = s->header->text.p;
	struct field f;
	size_t pos = 0;
	int i, r;

	while ((r = header_next(text, s->header->text.len, &pos, &f)) != 0) {
		if (r < 0) {
			snprintf(s->text, sizeof s->text, "Line %zu is not a header field", header_line(text, f.name));
			return unfit(s, s->text);
		}
		for (i = 0; i < SIGNED && !field_is(text, &f, signed_fields[i].name); i++)
			;
		if (i == SIGNED)
			continue;
		if (found->n == SIGNATURE_FIELDS_MAX)
			return unfit(s, "There are too many fields to sign");
		found->v[found->n].field = f;
		found->v[found->n++].which = i;
	}
	return SIGNATURE_OK;
}

static int
add_name(struct signature *s, int which)
{
	return buf_printf(&s->names, "%s%s", s->names.len ? ":" : "", signed_fields[which].name);
}

/* Add all fields of a name, the last one first. */
static enum signature_result
add_fields(struct signature *s, const struct found *found, int which)
{
	enum times times = signed_fields[which].times;
	size_t i, n = 0;

	for (i = found->n; i-- > 0;) {
		if (found->v[i].which != which)
			continue;
		n++;
		if (add_name(s, which) < 0 || relaxed_field(&s->fields, s->header->text.p, &found->v[i].field) < 0)
			return SIGNATURE_ERROR;
	}
	if (n > 1 && times != AS_THERE) { /* readers choose one of them, and verifiers perhaps another */
		snprintf(s->text, sizeof s->text, "%s: there is more than one such field", signed_fields[which].name);
		return unfit(s, s->text);
	}
	if ((times == AND_ONE || (times == AND_ONE_IF_THERE && n > 0)) && add_name(s, which) < 0)
		return SIGNATURE_ERROR;
	return SIGNATURE_OK;
}

enum signature_result
signature_begin(struct signature *s, const struct keys *keys, const struct header *h)
{
	struct found found;
	enum signature_result r;
	int i;

	*s = (struct signature){ .header = h, .keys = keys };
	found.n = 0;
	r = find_fields(s, &found);
	for (i = 0; r == SIGNATURE_OK && i < SIGNED; i++)
		r = add_fields(s, &found, i);
	return r;
}

static int
failed(void)
{
	ERR_clear_error();
	errno = EIO;
	return -1;
}

static int
hash(void *ctx, const char *p, size_t n)
{
	return EVP_DigestUpdate(ctx, p, n) > 0 ? 0 : failed();
}

/* Returns the length of the empty line behind the header in a file of this size, or -1 with errno set. */
static int
empty_line(const struct header *h, int fd, off_t size)
{
	char first;

	if ((off_t)h->text.len == size) /* a message may end without one */
		return 0;
	return file_read(fd, &first, 1, (off_t)h->text.len) < 0 ? -1 : first == '\r' ? 2 : 1;
}

/* Hash what follows the header in fd. */
static int
hash_file(struct relaxed_body *body, const struct header *h, int fd)
{
	char chunk[65536];
	off_t size = file_size(fd), off = (off_t)h->text.len;
	int line_end = size < 0 ? -1 : empty_line(h, fd, size);

	if (line_end < 0)
		return -1;
	for (off += line_end; off < size;) {
		size_t n = size - off < (off_t)sizeof chunk ? (size_t)(size - off) : sizeof chunk;

		if (file_read(fd, chunk, n, off) < 0 || relaxed_body_add(body, chunk, n) < 0)
			return -1;
		off += (off_t)n;
	}
	return relaxed_body_end(body);
}

int
signature_body(struct signature *s, int fd)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct relaxed_body body = { .put = hash, .arg = ctx, .lf = !s->header->crlf };
	unsigned char digest[KEY_DIGEST];
	int r = -1;

	if (!ctx)
		errno = ENOMEM;
	else if (EVP_DigestInit_ex2(ctx, s->keys->sha256, NULL) <= 0)
		failed();
	else
		r = hash_file(&body, s->header, fd);
	if (r == 0 && EVP_DigestFinal_ex(ctx, digest, NULL) <= 0)
		r = failed();
	EVP_MD_CTX_free(ctx);
	return r == 0 ? base64_encode(&s->body, digest, sizeof digest) : -1;
}

/* The field that is being written. */
struct lines {
	struct buf *out;
	const char *eol;
	size_t column;
	int result; /* of the additions so far */
};

enum { COLUMNS = 76 }; /* of a line, where its words allow that */

/* Add a word on this line, with between before it, or on the next line. */
static void
add(struct lines *l, const char *between, const char *word, size_t n)
{
	size_t before = strlen(between);

	if (l->result < 0)
		return;
	if (l->column > 1 && l->column + before + n > COLUMNS) {
		l->result = buf_printf(l->out, "%s\t", l->eol);
		l->column = 1;
	} else {
		l->result = buf_add(l->out, between, before);
		l->column += before;
	}
	if (l->result == 0)
		l->result = buf_add(l->out, word, n);
	l->column += n;
}

static void
add_tag(struct lines *l, const char *name, const char *value)
{
	char tag[ADDR_DOMAIN_MAX + 16];
	int n = snprintf(tag, sizeof tag, "%s=%s;", name, value);

	add(l, " ", tag, (size_t)n);
}

static void
add_number(struct lines *l, const char *name, long long value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%lld", value);
	add_tag(l, name, digits);
}

/* Add h=, which may be folded after each colon. */
static void
add_names(struct lines *l, const struct buf *names)
{
	const char *p = names->p, *end = p + names->len, *between = " h=";
	char name[64];

	while (p < end) {
		const char *colon = memchr(p, ':', (size_t)(end - p));
		int n = snprintf(name, sizeof name, "%s%.*s%s", *between ? "h=" : "", (int)((colon ? colon : end) - p), p,
		    colon ? ":" : ";");

		add(l, *between ? " " : "", name, (size_t)n);
		between = "";
		p = colon ? colon + 1 : end;
	}
}

/* Add a value in base64, which may be folded anywhere, after the tag's name. */
static void
add_base64(struct lines *l, const char *p, size_t n)
{
	while (n > 0) {
		size_t room = l->column < COLUMNS ? COLUMNS - l->column : 0, part = n;

		if (part > room)
			part = room > 0 ? room : n < COLUMNS - 1 ? n : COLUMNS - 1;
		add(l, "", p, part);
		p += part;
		n -= part;
	}
}

/* Write the field with an empty b=, which is last. */
static void
compose(const struct signature *s, const struct record_item *item, const struct key *key,
    const struct signature_time *t, struct lines *l)
{
	add(l, "", our_name, strlen(our_name));
	add(l, "", ":", 1);
	add_tag(l, "v", "1");
	add_tag(l, "a", key_algorithm(key));
	add_tag(l, "c", "relaxed/relaxed");
	add_tag(l, "d", item->domain);
	add_tag(l, "s", item->selector);
	add_number(l, "t", t->made);
	if (t->expires > 0)
		add_number(l, "x", t->expires);
	add_names(l, &s->names);
	add_tag(l, "bh", s->body.p);
	l->column = COLUMNS; /* the next word begins a line */
	add(l, " ", "b=", 2);
}

/* Hash the fields, and the new field as it is in out from start on. */
static int
hash_fields(const struct signature *s, const struct buf *out, size_t start, unsigned char digest[KEY_DIGEST])
{
	struct buf last = { 0 };
	struct field f;
	size_t pos = start;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = -1;

	if (!ctx || header_next(out->p, out->len, &pos, &f) != 1 || relaxed_field(&last, out->p, &f) < 0)
		errno = ENOMEM;
	else if (EVP_DigestInit_ex2(ctx, s->keys->sha256, NULL) <= 0 ||
	    EVP_DigestUpdate(ctx, s->fields.p, s->fields.len) <= 0 ||
	    EVP_DigestUpdate(ctx, last.p, last.len - 2) <= 0 || /* without its line end: RFC 6376 3.7 */
	    EVP_DigestFinal_ex(ctx, digest, NULL) <= 0)
		failed();
	else
		r = 0;
	EVP_MD_CTX_free(ctx);
	buf_free(&last);
	return r;
}

int
signature_make(const struct signature *s, const struct record_item *item, const struct signature_time *t,
    const char *eol, struct buf *out)
{
	const struct key *key = keys_find(s->keys, item->path, item->path_len);
	struct lines l = { .out = out, .eol = eol };
	struct buf value = { 0 };
	unsigned char digest[KEY_DIGEST];
	size_t start = out->len;

	if (!key) {
		errno = EIO;
		return -1;
	}
	compose(s, item, key, t, &l);
	if (l.result == 0)
		l.result = hash_fields(s, out, start, digest);
	if (l.result == 0)
		l.result = key_sign(s->keys, key, digest, &value);
	if (l.result == 0)
		add_base64(&l, value.p, value.len);
	buf_free(&value);
	return l.result < 0 ? -1 : buf_puts(out, eol);
}

/* Are the two texts the same, white space apart? */
static bool
is_same(const char *a, const char *a_end, const char *b, const char *b_end)
{
	for (;;) {
		while (a < a_end && *a == ' ')
			a++;
		while (b < b_end && *b == ' ')
			b++;
		if (a == a_end || b == b_end)
			return a == a_end && b == b_end;
		if (*a++ != *b++)
			return false;
	}
}

/*
 * Is a field of the message ours, for all that a verifier can see of it? A server on the way may have folded it anew:
 * the canonical form hides that, and white space in the value of b=, which is last, does not count.
 */
static int
is_ours(const struct signature *s, const struct field *theirs, const struct buf *ours)
{
	struct buf a = { 0 }, b = { 0 };
	struct field f;
	size_t pos = 0, n;
	int r = -1;

	if (header_next(ours->p, ours->len, &pos, &f) == 1 && relaxed_field(&a, ours->p, &f) == 0 &&
	    relaxed_field(&b, s->header->text.p, theirs) == 0) {
		n = (size_t)(strstr(a.p, "; b=") - a.p) + 4;
		r = b.len > n && memcmp(a.p, b.p, n) == 0 && is_same(a.p + n, a.p + a.len, b.p + n, b.p + b.len);
	}
	buf_free(&a);
	buf_free(&b);
	return r;
}

/* Find the topmost signature of the same domain and selector. Returns false if the message has no such signature. */
static bool
find(const struct signature *s, const struct record_item *item, struct field *f)
{
	char domain[ADDR_DOMAIN_MAX + 1], selector[ADDR_DOMAIN_MAX + 1];
	const char *text = s->header->text.p;
	size_t pos = 0;

	while (header_next(text, s->header->text.len, &pos, f) == 1)
		if (field_is(text, f, our_name) && taglist_find(text, f->value, f->end, "d", domain, sizeof domain) &&
		    taglist_find(text, f->value, f->end, "s", selector, sizeof selector) &&
		    strcasecmp(domain, item->domain) == 0 && strcasecmp(selector, item->selector) == 0)
			return true;
	return false;
}

/* Read a tag that is a time. Returns 0 where it is missing, or -1: it is invalid. */
static long long
time_of(const struct signature *s, const struct field *f, const char *name)
{
	long long n = 0;
	char digits[24];

	if (taglist_find(s->header->text.p, f->value, f->end, name, digits, sizeof digits) &&
	    number_parse(digits, 1, 999999999999, &n) < 0) /* RFC 6376 3.5: at most 12 digits */
		return -1;
	return n;
}

int
signature_is_there(const struct signature *s, const struct record_item *item, long long now)
{
	struct signature_time t;
	struct buf ours = { 0 };
	struct field f;
	int r;

	if (!find(s, item, &f))
		return 0;
	t = (struct signature_time){ time_of(s, &f, "t"), time_of(s, &f, "x") };
	if (t.made <= 0 || t.expires < 0 || (t.expires > 0 && t.expires <= now))
		return 0;
	/* Both algorithms make the same signature of the same message each time. */
	r = signature_make(s, item, &t, "\r\n", &ours);
	if (r == 0)
		r = is_ours(s, &f, &ours);
	buf_free(&ours);
	return r;
}

void
signature_free(struct signature *s)
{
	buf_free(&s->names);
	buf_free(&s->fields);
	buf_free(&s->body);
	*s = (struct signature){ 0 };
}
