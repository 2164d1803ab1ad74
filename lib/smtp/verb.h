/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_VERB_H
#define MSA_SMTP_VERB_H

#include <stdbool.h>
#include <stddef.h>

/* The verbs of SMTP and LMTP, for all stages. */
enum verb {
	VERB_UNKNOWN,
	VERB_EHLO, VERB_HELO, VERB_LHLO, /* RFC 5321 4.1.1.1, RFC 2033 4.1 */
	VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_RSET, VERB_NOOP, VERB_QUIT, VERB_VRFY, VERB_EXPN, VERB_HELP, /* RFC 5321 4.1.1 */
	VERB_BDAT,     /* RFC 3030 2 */
	VERB_AUTH,     /* RFC 4954 4 */
	VERB_STARTTLS, /* RFC 3207 4 */
	VERB_ETRN, VERB_ATRN, VERB_TURN, /* never offered: RFC 6409 7 */
	VERB_BURL, /* RFC 4468, not offered */
	VERB_COUNT,
};

enum verb_arg { VERB_ARG_NONE, VERB_ARG_OPTIONAL, VERB_ARG_REQUIRED };

/*
 * Returns the verb at the start of line, in any case, which ends with white space or with the line. *arg is the
 * argument after it, without the white space around it (trailing white space is cut off in place); "" if there is none.
 */
enum verb verb_parse(char *line, size_t len, char **arg, size_t *arglen);

/*
 * The verb of a line that cannot be read as a whole (too long, or with a NUL, a bare CR or a bare LF), from the len
 * octets that were kept of its start. As verb_parse, but a control character ends the verb too, and s stays as it is.
 */
enum verb verb_of_start(const char *s, size_t len);

/*
 * Returns true if a line that starts with these len octets is of another protocol: a TLS record, a request of HTTP, or
 * a header field (its first word ends with a colon). A browser that a page has sent to this port sends these, and what
 * follows them may be commands that the page chose. End the session, and read nothing more.
 */
bool verb_is_foreign(const char *s, size_t len);

const char *verb_name(enum verb v);   /* "EHLO"; "?" for VERB_UNKNOWN */
enum verb_arg verb_arg(enum verb v);

#endif
