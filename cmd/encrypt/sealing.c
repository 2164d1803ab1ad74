/* ISC licence, see LICENSE. */
#include "sealing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/os.h"
#include "keyring.h"
#include "mail/addrlist.h"
#include "msa/msgfile.h"

/* A field with a type and parameters (RFC 2045 5.1) that is being read: text[pos..end). */
struct scanner {
	const char *text;
	size_t pos, end;
};

/* Take one character, with the white space and comments around it. Returns true if it was there. */
static bool
take(struct scanner *s, char c)
{
	if (!addrlist_skip_cfws(s->text, &s->pos, s->end) || s->pos >= s->end || s->text[s->pos] != c)
		return false;
	s->pos++;
	return addrlist_skip_cfws(s->text, &s->pos, s->end);
}

/*
 * Take a token, or the text between quotes, which must have a second one. Returns its length with *word set, or 0
 * if no word stands there.
 */
static size_t
take_word(struct scanner *s, const char **word)
{
	bool quoted;
	size_t n;

	*word = s->text + s->pos;
	if (!addrlist_skip_cfws(s->text, &s->pos, s->end))
		return 0;
	quoted = s->pos < s->end && s->text[s->pos] == '"';
	s->pos += quoted;
	*word = s->text + s->pos;
	for (n = 0; s->pos < s->end; n++, s->pos++) {
		char c = s->text[s->pos];

		if (quoted ? c == '"' : c <= ' ' || c > '~' || strchr("()<>@,;:\\\"/[]?=", c))
			break;
	}
	if (!quoted)
		return n;
	return s->pos++ < s->end ? n : 0;
}

static bool
is_word(const char *word, size_t n, const char *wanted)
{
	return n == strlen(wanted) && strncasecmp(word, wanted, n) == 0;
}

/* Has a value only octets that each reader understands in the same way? */
static bool
is_plain(const char *text, const struct field *f)
{
	size_t i;

	for (i = f->value; i < f->end; i++)
		if (text[i] == '\\' || text[i] > '~' || (text[i] < ' ' && !strchr("\t\r\n", text[i])) || text[i] == '\0')
			return false;
	return true;
}

/* Parameters that say that a content is encrypted: how often each is there. */
struct claims {
	size_t protocol, boundary, type, enveloped; /* type: smime-type; enveloped: those with a value that says so */
};

/* Read the parameters to their end. Returns false if they are not all understood: then they say nothing. */
static bool
read_claims(struct scanner *s, struct claims *c)
{
	const char *name, *value;

	while (take(s, ';')) {
		size_t n = take_word(s, &name), len = n > 0 && take(s, '=') ? take_word(s, &value) : 0;

		if (len == 0 || memchr(name, '*', n)) /* RFC 2231: in pieces or with a charset */
			return false;
		c->protocol += is_word(name, n, "protocol");
		c->boundary += is_word(name, n, "boundary");
		if (is_word(name, n, "smime-type")) {
			c->type++;
			c->enveloped += is_word(value, len, "enveloped-data") || is_word(value, len, "authEnveloped-data");
		}
	}
	return addrlist_skip_cfws(s->text, &s->pos, s->end) && s->pos == s->end;
}

/*
 * Does Content-Type say that the content is encrypted? If in doubt it does not: to encrypt twice does no harm. S/MIME
 * calls its signed and compressed contents by the same type as its encrypted ones (RFC 8551 3.2.2).
 */
static bool
is_encrypted(const char *text, const struct field *f)
{
	struct scanner s = { .text = text, .pos = f->value, .end = f->end };
	struct claims c = { 0 };
	const char *type, *sub;
	size_t n = take_word(&s, &type), len = take(&s, '/') ? take_word(&s, &sub) : 0;

	if (len == 0 || !is_plain(text, f) || !read_claims(&s, &c))
		return false;
	if (is_word(type, n, "multipart"))
		return is_word(sub, len, "encrypted") && c.protocol == 1 && c.boundary == 1;
	return is_word(type, n, "application") && (is_word(sub, len, "pkcs7-mime") || is_word(sub, len, "x-pkcs7-mime")) &&
	    c.type == 1 && c.enveloped == 1;
}

/* Append a field, with a line end if it is the last octet of a file. */
static int
add_field(struct buf *b, const char *text, const struct field *f, const char *eol)
{
	if (buf_add(b, text + f->name, f->next - f->name) < 0)
		return -1;
	return text[f->next - 1] == '\n' ? 0 : buf_puts(b, eol);
}

static bool
has_8bit(const struct buf *b)
{
	size_t i;

	for (i = 0; i < b->len; i++)
		if ((unsigned char)b->p[i] > 127)
			return true;
	return false;
}

enum sealing_result
sealing_begin(struct sealing *s, const struct header *h, int fd, const char *eol)
{
	const char *text = h->text.p;
	size_t pos = 0, types = 0;
	bool has_version = false, encrypted = false;
	struct field f;
	int more;

	s->eol = eol;
	s->rest = (off_t)h->text.len;
	s->size = file_size(fd);
	while ((more = header_next(text, h->text.len, &pos, &f)) > 0) {
		/* A filter has no stage in front that drops it. */
		bool is_blind = f.id == FIELD_BCC || f.id == FIELD_RESENT_BCC;
		bool moves = f.name_end - f.name > strlen("Content-") && strncasecmp(text + f.name, "Content-", 8) == 0;

		has_version |= f.id == FIELD_MIME_VERSION;
		s->is_signed |= field_is(text, &f, "DKIM-Signature");
		types += f.id == FIELD_CONTENT_TYPE;
		encrypted |= f.id == FIELD_CONTENT_TYPE && is_encrypted(text, &f);
		if (!is_blind && add_field(moves ? &s->inner : &s->outer, text, &f, eol) < 0)
			return SEALING_ERROR;
	}
	if (more < 0) {
		s->not_field = header_line(text, f.name);
		return SEALING_UNFIT;
	}
	if (encrypted && types == 1)
		return SEALING_ALREADY;
	if (s->size < 0 || (!has_version && buf_printf(&s->outer, "MIME-Version: 1.0%s", eol) < 0))
		return SEALING_ERROR;
	if (s->rest == s->size && buf_puts(&s->inner, eol) < 0) /* the file has no empty line after its header */
		return SEALING_ERROR;
	s->is_8bit = has_8bit(&s->outer);
	return SEALING_OK;
}

/* Nobody can know it before, and no line of an armor has an underscore. */
static int
make_boundary(char out[SEALING_BOUNDARY_MAX + 1])
{
	unsigned char random[16];
	size_t i, n;

	if (os_random(random, sizeof random) < 0)
		return -1;
	n = (size_t)snprintf(out, SEALING_BOUNDARY_MAX + 1, "=_");
	for (i = 0; i < sizeof random; i++)
		n += (size_t)snprintf(out + n, SEALING_BOUNDARY_MAX + 1 - n, "%02x", random[i]);
	return 0;
}

/* The encrypted text on its way into the message. */
struct output {
	struct msgfile m;
	const char *eol;
};

static int
take_armor(void *to, const char *p, size_t n)
{
	struct output *o = to;
	const char *end = p + n, *lf;

	if (o->eol[0] == '\n')
		return msgfile_add(&o->m, p, n);
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (!lf)
			return msgfile_add(&o->m, p, (size_t)(end - p));
		if (msgfile_add(&o->m, p, (size_t)(lf - p)) < 0 || msgfile_add(&o->m, o->eol, strlen(o->eol)) < 0)
			return -1;
	}
	return 0;
}

/* The lines before the encrypted text: the header in front, and the part with the version of RFC 3156 4. */
static int
add_front(struct buf *b, const struct sealing *s, const char *boundary)
{
	const char *lines[] = {
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";",
		"\tboundary=\"%s\"",
		"",
		"--%s",
		"Content-Type: application/pgp-encrypted",
		"",
		"Version: 1",
		"",
		"--%s",
		"Content-Type: application/octet-stream",
		"",
	};
	size_t i;

	if (buf_add(b, s->outer.p, s->outer.len) < 0)
		return -1;
	for (i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *mark = strstr(lines[i], "%s");

		if (mark ? buf_printf(b, "%.*s%s%s%s", (int)(mark - lines[i]), lines[i], boundary, mark + 2, s->eol) < 0 :
		    buf_printf(b, "%s%s", lines[i], s->eol) < 0)
			return -1;
	}
	return 0;
}

int
sealing_make(const struct sealing *s, int fd, const char *home, struct job *j, const char *fingerprints)
{
	struct keyring_text text = {
		.head = s->inner.p, .head_len = s->inner.len, .fd = fd, .from = s->rest, .size = s->size,
		.lf = s->eol[0] == '\n',
	};
	struct output o = { .eol = s->eol };
	char boundary[SEALING_BOUNDARY_MAX + 1];
	struct buf front = { 0 }, back = { 0 };
	int message = -1, e;

	if (make_boundary(boundary) == 0 && add_front(&front, s, boundary) == 0 &&
	    buf_printf(&back, "%s--%s--%s", s->eol, boundary, s->eol) == 0 &&
	    msgfile_add(&o.m, front.p, front.len) == 0 &&
	    keyring_encrypt(home, j, fingerprints, &text, take_armor, &o) == 0 &&
	    msgfile_add(&o.m, back.p, back.len) == 0)
		message = msgfile_finish(&o.m);
	e = errno;
	msgfile_free(&o.m);
	buf_free(&front);
	buf_free(&back);
	errno = e;
	return message;
}

void
sealing_free(struct sealing *s)
{
	buf_free(&s->outer);
	buf_free(&s->inner);
}
