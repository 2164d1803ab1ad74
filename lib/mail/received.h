/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_RECEIVED_H
#define MSA_MAIL_RECEIVED_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "chain/envelope.h"
#include "chain/facts.h"

/* The trace field that says how this message came in: RFC 5321 4.4, RFC 3848, RFC 6531 4.3, RFC 8314 4.3. */
enum {
	RECEIVED_LOOP = 100,     /* fields: as many already there are a loop; RFC 5321 6.3 wants 100 or more */
	RECEIVED_SUBJECT_MAX = 200, /* octets of a certificate's subject, escapes counted */
	RECEIVED_COLUMNS = 78,   /* RFC 5322 2.1.1; a tab counts as 8. A longer token stands on a line of its own. */
};

enum received_option {
	RECEIVED_PRIVATE = 1 << 0, /* nothing about the client: no HELO, no address, no name */
	RECEIVED_SUBJECT = 1 << 1, /* the subject of the client's certificate as a comment */
};

/*
 * The protocol keyword, one of the 17 that are registered with IANA, from the facts alone. e: the envelope, NULL where
 * there is none. A constant.
 */
const char *received_keyword(const struct facts *f, const struct envelope *e);

/* IANA's name of a cipher suite that OpenSSL calls name (TLS 1.3's names are the same); NULL: not in the table. */
const char *received_cipher(const char *name);

/*
 * Append the whole field, folded, each line ended by eol ("\r\n" or "\n"). options: RECEIVED_*. Whatever the facts
 * hold, the field is valid: what has no right syntax for its place goes into a comment, with "?" for what may not even
 * stand there. 0, or -1 with errno ENOMEM.
 */
int received_add(struct buf *out, const struct facts *f, const struct envelope *e, time_t now, int options,
    const char *eol);

/*
 * How many Received fields the header of the message in fd (a regular file) has; -1 with errno. *joins: the message
 * begins with white space, so that a field put on top of it would go on there (header_would_join).
 */
long received_count(int fd, bool *joins);

#endif
