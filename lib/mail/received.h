/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_RECEIVED_H
#define MSA_MAIL_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "chain/envelope.h"
#include "chain/facts.h"
#include "mail/header.h"
#include "msa/buf.h"

/*
 * The trace field that records how this message was submitted: RFC 5321 4.4, RFC 3848, RFC 6531 4.3, RFC 8314 4.3.
 */
enum {
	RECEIVED_LOOP = 100,     /* fields that mean a mail loop; RFC 5321 6.3 asks for at least 100 */
	RECEIVED_SUBJECT_MAX = 200, /* octets of a certificate's subject, with its escapes */
	RECEIVED_COLUMNS = 78,   /* RFC 5322 2.1.1; a tab counts as 8. A longer token stands on a line of its own. */
};

enum received_option {
	RECEIVED_PRIVATE = 1 << 0, /* nothing about the client: no HELO, no address, no name */
	RECEIVED_SUBJECT = 1 << 1, /* the subject of the client's certificate as a comment */
};

/*
 * Returns the protocol keyword, a constant: one of the 17 that are registered with IANA. e is the envelope, or NULL if
 * there is none.
 */
const char *received_keyword(const struct facts *f, const struct envelope *e);

/* Returns IANA's name of a cipher suite for OpenSSL's name (the same for TLS 1.3), or NULL if the table has none. */
const char *received_cipher(const char *name);

/*
 * Append the whole field, folded, each line ended by eol ("\r\n" or "\n"). options is a set of RECEIVED_*. The field is
 * valid whatever the facts contain: a value with the wrong syntax for its place is written as a comment, with "?" for
 * each octet that a comment must not contain.
 * Returns 0, or -1 with errno set (ENOMEM) and out unchanged.
 */
int received_add(struct buf *out, const struct facts *f, const struct envelope *e, time_t now, int options,
    const char *eol);

/* What has to be known of a message before a trace field is put on top of it. */
struct received_top {
	size_t count; /* Received fields in the header */
	bool joins;   /* the message begins with white space: header_joins */
	bool crlf;    /* its first line ends with CR LF */
};

/* Read the header of the message in fd, a regular file, once. Results as header_read with HEADER_MAX. */
enum header_result received_look(struct received_top *top, int fd);

#endif
