/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_HEADER_H
#define MSA_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * The header of a message, RFC 5322 2.2 and 3.6. Read into memory once, then looked at in place: a field is offsets
 * into the text, nothing is copied, unfolded or decoded. Any octet may stand in a value; lines may have any length.
 * The syntax inside of address fields is mailaddr.h's, changes are edit.h's.
 */
enum { HEADER_MAX = 1048576 }; /* octets of a header; RFC 5322 names no limit */

struct header {
	struct buf text; /* the fields; without the empty line, which is the message's next octet, if there is one */
	bool crlf;       /* the first line ends with CR LF */
	bool bare;       /* somewhere a CR stands without LF, or an LF without CR */
};

enum header_result {
	HEADER_OK,
	HEADER_LONG,  /* over max */
	HEADER_ERROR, /* errno */
};

/*
 * Read the header of the message in fd, a regular file, by pread. A line ends with LF or CR LF, the header with an
 * empty line or the file. h must be empty; header_free whatever the result.
 */
enum header_result header_read(struct header *h, int fd, size_t max);
void header_free(struct header *h);

enum field_syntax {
	FIELD_OPAQUE,    /* not looked into here */
	FIELD_ADDRESS,   /* one address, RFC 5322 3.6.2 and RFC 6854 */
	FIELD_ADDRESSES, /* a list of at least one */
	FIELD_BLIND,     /* a list that may be empty: Bcc */
};

/* The fields of RFC 5322 3.6: symbol, name, syntax, and whether there may be only one of it. */
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
	X(FIELD_SUBJECT,           "Subject",           FIELD_OPAQUE,    true)

#define FIELD_SYMBOL(symbol, name, syntax, once) symbol,
enum field_id { FIELD_OTHER, FIELD_TABLE(FIELD_SYMBOL) FIELD_COUNT };
#undef FIELD_SYMBOL

const char *field_name(enum field_id id); /* as RFC 5322 writes it; "" for FIELD_OTHER */
enum field_syntax field_syntax(enum field_id id);
bool field_is_once(enum field_id id);
bool field_is_resent(enum field_id id);

/* One field. All members but id are offsets into the text that it was found in. */
struct field {
	enum field_id id;
	size_t name;     /* its first octet */
	size_t name_end; /* behind the name; white space may follow before the colon (RFC 5322 4.5) */
	size_t value;    /* behind the colon */
	size_t end;      /* behind the value with all its folding, before the line end */
	size_t next;     /* behind the line end: where the next field begins */
};

/*
 * The field at *pos of a header's text, which moves behind it; begin with 0. 1: *f is it. 0: none left.
 * -1: the line at *pos is none (no colon, a bad name, a continuation of nothing); only f->name and f->next are set,
 * and *pos is behind the line.
 */
int header_next(const char *text, size_t n, size_t *pos, struct field *f);

/* The field's name is this, in any case: for fields that the table does not have. */
bool field_is(const char *text, const struct field *f, const char *name);

/*
 * The message in fd begins with white space: a field put on top of it would go on there, with whatever the client says.
 * 1, 0, or -1 with errno.
 */
int header_would_join(int fd);

/* The number, from 1, of the line at pos. */
size_t header_line(const char *text, size_t pos);

#endif
