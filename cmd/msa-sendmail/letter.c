/* ISC licence, see LICENSE. */
#include "letter.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "chain/limits.h"
#include "mail/addrlist.h"
#include "mail/draft.h"
#include "mail/edits.h"
#include "mail/header.h"

static bool
is_known(const struct submission *s, const char *address)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->rcpt[i], address) == 0)
			return true;
	return false;
}

int
letter_addresses(struct submission *s, const char *list, size_t len, const char *domain, const char *where)
{
	char text[ADDR_MAILBOX_MAX + ADDR_DOMAIN_MAX + 2];
	struct addrlist_item m;
	struct addrlist l;
	struct addr a;
	enum addrlist_result r;

	addrlist_begin(&l, list, 0, len);
	while ((r = addrlist_next(&l, &m)) == ADDRLIST_BOX) {
		if (addrlist_addr(list, &m, &a) < 0)
			break;
		snprintf(text, sizeof text, a.has_domain ? "%s" : "%s@%s", a.text, domain);
		if (addr_mailbox(text, strlen(text), &a) < 0)
			break;
		if (is_known(s, a.text))
			continue;
		if (s->n == CHAIN_RCPT_MAX)
			return submission_wrong(s, EX_USAGE, where, "more recipients than a message may have");
		if (submission_add(s, a.text) != EX_OK)
			return EX_TEMPFAIL;
	}
	if (r == ADDRLIST_END)
		return EX_OK;
	return submission_wrong(s, EX_DATAERR, where, "not a valid list of addresses");
}

/* Begin the message anew with text[0..n), in place of its first octets to skip. Returns an exit code. */
static int
begin_anew(struct submission *s, const char *text, size_t n, off_t skip)
{
	struct msgfile m = { .size = 0 };
	off_t size = file_size(s->message);
	int fd = -1;

	if (size >= 0 && msgfile_add(&m, text, n) == 0 && msgfile_add_file(&m, s->message, skip, size - skip) == 0)
		fd = msgfile_finish(&m);
	if (fd < 0) {
		submission_failed(s, EX_TEMPFAIL, "the message");
		msgfile_free(&m);
		return EX_TEMPFAIL;
	}
	close(s->message);
	s->message = fd;
	return EX_OK;
}

/*
 * Drop the line that a mailbox file has in front of a message. Put an empty line in front of a text that does not begin
 * with a header field.
 */
static int
begin_with_header(struct submission *s)
{
	static const char mbox[] = "From ";
	char line[1000]; /* a longer line is no mailbox file's */
	ssize_t n = pread(s->message, line, sizeof line, 0);
	const char *lf = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	int r = EX_OK, is_there;

	if (lf && (size_t)n > sizeof mbox && memcmp(line, mbox, sizeof mbox - 1) == 0)
		r = begin_anew(s, "", 0, lf - line + 1);
	if (r != EX_OK || (lf && lf - line == 1))
		return r;
	is_there = header_is_there(s->message);
	if (is_there < 0)
		return submission_failed(s, EX_TEMPFAIL, "the message");
	return is_there ? EX_OK : begin_anew(s, "\r\n", 2, 0);
}

int
letter_read(struct submission *s, bool dot_is_text)
{
	struct draft draft = { .ends_at_dot = !dot_is_text };
	char text[80];

	s->message = draft_read(&draft, STDIN_FILENO);
	if (s->message < 0)
		return submission_failed(s, errno == EIO || errno == EISDIR || errno == EBADF ? EX_IOERR : EX_TEMPFAIL,
		    "standard input");
	if (file_size(s->message) == 0)
		return submission_wrong(s, EX_NOINPUT, "standard input", "empty: no message");
	if (draft.bare) {
		snprintf(text, sizeof text, "line %zu has a NUL or a CR without LF", draft.bare);
		return submission_wrong(s, EX_DATAERR, "the message", text);
	}
	s->is_8bit = draft.is_8bit;
	return begin_with_header(s);
}

static bool
is_blind(enum field_id id)
{
	return id == FIELD_BCC || id == FIELD_RESENT_BCC;
}

static bool
is_for(enum field_id id, bool resent)
{
	if (resent)
		return id == FIELD_RESENT_TO || id == FIELD_RESENT_CC || id == FIELD_RESENT_BCC;
	return id == FIELD_TO || id == FIELD_CC || id == FIELD_BCC;
}

/* Add the recipients that the header names. */
static int
take_recipients(struct submission *s, const struct header *h, const char *domain)
{
	bool resent = false;
	size_t pos = 0;
	struct field f;
	int r, code = EX_OK;

	while ((r = header_next(h->text.p, h->text.len, &pos, &f)) != 0)
		resent |= r > 0 && is_for(f.id, true);
	for (pos = 0; code == EX_OK && (r = header_next(h->text.p, h->text.len, &pos, &f)) != 0;)
		if (r > 0 && is_for(f.id, resent))
			code = letter_addresses(s, h->text.p + f.value, f.end - f.value, domain, field_name(f.id));
	return code;
}

/* Append a name as the display name of a field: in quotes, or, if it is not printable ASCII, in encoded words. */
static int
add_name(struct buf *out, const char *name)
{
	enum { PART = 42 }; /* octets of the name in a word: the line has at most 76, RFC 2047 2 */
	size_t i, n = strlen(name), len;
	int r;

	for (i = 0; i < n && name[i] >= ' ' && name[i] <= '~'; i++)
		;
	if (i == n) {
		r = buf_puts(out, "\"");
		for (i = 0; r == 0 && i < n; i++)
			r = buf_printf(out, name[i] == '"' || name[i] == '\\' ? "\\%c" : "%c", name[i]);
		return r < 0 ? -1 : buf_puts(out, "\"");
	}
	for (i = r = 0; r == 0 && i < n; i += len) {
		for (len = n - i < PART ? n - i : PART; ((unsigned char)name[i + len] & 0xc0) == 0x80;)
			len--; /* a word has whole characters */
		r = buf_puts(out, i > 0 ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
		if (r == 0)
			r = base64_encode(out, name + i, len);
		if (r == 0)
			r = buf_puts(out, "?=");
	}
	return r;
}

/* The changes to the header. Returns 0, or -1 with errno set. */
static int
edit(struct edits *e, const struct header *h, const char *full_name, const char *address)
{
	struct buf from = { 0 };
	bool has_from = false;
	size_t pos = 0;
	struct field f;
	int r, result = 0;

	while (result == 0 && (r = header_next(h->text.p, h->text.len, &pos, &f)) != 0) {
		has_from |= r > 0 && f.id == FIELD_FROM;
		if (r > 0 && is_blind(f.id))
			result = edits_add(e, f.name, f.next - f.name, "", 0);
	}
	if (result == 0 && full_name && !has_from) {
		if (buf_puts(&from, "From: ") < 0 || add_name(&from, full_name) < 0 ||
		    buf_printf(&from, " <%s>\r\n", address) < 0 || edits_add(e, h->text.len, 0, from.p, from.len) < 0)
			result = -1;
	}
	buf_free(&from);
	return result;
}

int
letter_complete(struct submission *s, bool by_header, const char *domain, const char *full_name, const char *address)
{
	struct header h = { .crlf = true };
	struct edits e = { .n = 0 };
	enum header_result read = header_read(&h, s->message, HEADER_MAX);
	int r = EX_OK, fd = -1;

	if (read != HEADER_OK)
		r = read == HEADER_LONG ? submission_wrong(s, EX_DATAERR, "the message", "its header is too large")
		                        : submission_failed(s, EX_TEMPFAIL, "the message");
	if (r == EX_OK && by_header)
		r = take_recipients(s, &h, domain);
	if (r == EX_OK && (edit(&e, &h, full_name, address) < 0 ||
	                   (e.n > 0 &&
	                    (fd = edits_file(&e, h.text.p, h.text.len, s->message, (off_t)h.text.len)) < 0)))
		r = submission_failed(s, EX_TEMPFAIL, "the message");
	if (fd >= 0) {
		close(s->message);
		s->message = fd;
	}
	edits_free(&e);
	header_free(&h);
	return r;
}
