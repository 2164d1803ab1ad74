/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_HEADER_H
#define MSA_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/*
 * The header of a message (RFC 5322 2.2 and 3.6), read into memory once and then examined in place. A field is a set
 * of offsets into the text; nothing is copied, unfolded or decoded. A value may hold any octet, a line may have any
 * length. mail/addrlist.h parses the addresses in a field; mail/edits.h collects changes.
 */
enum { HEADER_MAX = 1048576 }; /* octets of a header; RFC 5322 sets no limit */

struct header {
	struct buf text; /* the fields, without the empty line after them */
	bool crlf;       /* the first line of the message ends with CR LF */
	bool bare;       /* the header has a CR without LF, or an LF without CR */
};

enum header_result {
	HEADER_OK,
	HEADER_LONG,  /* the header has more than max octets */
	HEADER_ERROR, /* errno is set: pread failed, or ENOMEM */
};

/*
 * Read the header of the message in fd, a regular file, by pread. A line ends with LF or CR LF; the header ends with
 * an empty line or with the file. h must be empty; call header_free whatever the result.
 */
enum header_result header_read(struct header *h, int fd, size_t max);
void header_free(struct header *h);

enum field_syntax {
	FIELD_OPAQUE,    /* not parsed here */
	FIELD_ADDRESS,   /* one address, RFC 5322 3.6.2 and RFC 6854 */
	FIELD_ADDRESSES, /* a list of at least one address */
	FIELD_BLIND,     /* a list that may be empty: Bcc */
};

/*
 * The fields of RFC 5322 3.6, one of RFC 8601, three of RFC 2045, and two that mailboxes add: symbol, name, syntax, and
 * whether a header may have only one of them.
 */
#define FIELD_TABLE(X) \
	X(FIELD_RETURN_PATH,       "Return-Path",       FIELD_OPAQUE,    false) \
	X(FIELD_RECEIVED,          "Received",          FIELD_OPAQUE,    false) \
	X(FIELD_RESENT_DATE,       "Resent-Date",       FIELD_OPAQUE,    false) \
	X(FIELD_RESENT_FROM,       "Resent-From",       FIELD_ADDRESSES, false) \
	X(FIELD_RESENT_SENDER,     "Resent-Sender",     FIELD_ADDRESS,   false) \
	X(FIELD_RESENT_REPLY_TO,   "Resent-Reply-To",   FIELD_ADDRESSES, false) /* RFC 5322 4.5.6 */ \
	X(FIELD_RESENT_TO,         "Resent-To",         FIELD_ADDRESSES, false) \
	X(FIELD_RESENT_CC,         "Resent-Cc",         FIELD_ADDRESSES, false) \
	X(FIELD_RESENT_BCC,        "Resent-Bcc",        FIELD_BLIND,     false) \
	X(FIELD_RESENT_MESSAGE_ID, "Resent-Message-ID", FIELD_OPAQUE,    false) \
	X(FIELD_DATE,              "Date",              FIELD_OPAQUE,    true) \
	X(FIELD_FROM,              "From",              FIELD_ADDRESSES, true) \
	X(FIELD_SENDER,            "Sender",            FIELD_ADDRESS,   true) \
	X(FIELD_REPLY_TO,          "Reply-To",          FIELD_ADDRESSES, true) \
	X(FIELD_TO,                "To",                FIELD_ADDRESSES, true) \
	X(FIELD_CC,                "Cc",                FIELD_ADDRESSES, true) \
	X(FIELD_BCC,               "Bcc",               FIELD_BLIND,     true) \
	X(FIELD_MESSAGE_ID,        "Message-ID",        FIELD_OPAQUE,    true) \
	X(FIELD_IN_REPLY_TO,       "In-Reply-To",       FIELD_OPAQUE,    true) \
	X(FIELD_REFERENCES,        "References",        FIELD_OPAQUE,    true) \
	X(FIELD_SUBJECT,           "Subject",           FIELD_OPAQUE,    true) \
	X(FIELD_AUTH_RESULTS, "Authentication-Results", FIELD_OPAQUE,    false) \
	X(FIELD_MIME_VERSION,      "MIME-Version",      FIELD_OPAQUE,    true) \
	X(FIELD_CONTENT_TYPE,      "Content-Type",      FIELD_OPAQUE,    true) \
	X(FIELD_CONTENT_ENCODING, "Content-Transfer-Encoding", FIELD_OPAQUE, true) \
	X(FIELD_CONTENT_LENGTH,    "Content-Length",    FIELD_OPAQUE,    false) \
	X(FIELD_UIDL,              "X-UIDL",            FIELD_OPAQUE,    false)

#define FIELD_SYMBOL(symbol, name, syntax, once) symbol,
enum field_id { FIELD_OTHER, FIELD_TABLE(FIELD_SYMBOL) FIELD_COUNT };
#undef FIELD_SYMBOL

const char *field_name(enum field_id id); /* as RFC 5322 spells it; "" for FIELD_OTHER */
enum field_syntax field_syntax(enum field_id id);
bool field_is_once(enum field_id id);
bool field_is_resent(enum field_id id);

/* One field. All members but id are offsets into the text that contains the field. */
struct field {
	enum field_id id;
	size_t name;     /* first octet of the name */
	size_t name_end; /* end of the name; white space may follow before the colon (RFC 5322 4.5) */
	size_t value;    /* after the colon */
	size_t end;      /* end of the value with all its folding, before the line end */
	size_t next;     /* after the line end: where the next field begins */
};

/*
 * Parse the field at *pos of a header's text and move *pos to the next one; start with *pos 0.
 * Returns 1 (*f is the field), 0 (no field is left), or -1: the line at *pos is not a field (no colon, an invalid name,
 * or a continuation of nothing). Then only f->name and f->next are set, and *pos is after that line.
 */
int header_next(const char *text, size_t n, size_t *pos, struct field *f);

/* Returns true if the field has this name, in any case: for fields that FIELD_TABLE does not list. */
bool field_is(const char *text, const struct field *f, const char *name);

/* Returns the field, its value without the white space and line ends around it. */
struct field field_trim(const char *text, struct field f);

/* Returns true if two fields have the same value, apart from white space around it. */
bool field_is_same(const char *text, struct field a, struct field b);

/* Returns 1 if the message in fd begins with a header field, 0 if not, or -1 with errno set. */
int header_is_there(int fd);

/*
 * A message that begins with white space would continue a field that is put on top of it, so a client could write into
 * our field. header_joins: returns true if the message of h begins so. header_would_join: the same for the message in
 * fd, without its header being read; returns 1 or 0, or -1 with errno set.
 */
bool header_joins(const struct header *h);
int header_would_join(int fd);

/* Returns the number, from 1, of the line that contains offset pos. */
size_t header_line(const char *text, size_t pos);

#endif
