/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_VERB_H
#define MSA_SMTP_VERB_H

#include <stddef.h>

/* The verbs of SMTP and LMTP, once for all stages. */
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
 * The verb at the start of line (any case, ended by a space or the end). *arg is what follows the spaces, trailing
 * white space cut off (in place); "" where there is none.
 */
enum verb verb_parse(char *line, size_t len, char **arg, size_t *arglen);

/*
 * The verb of a line that cannot be read as a whole (too long, or with a NUL, a bare CR or a bare LF), from the len octets
 * that were kept of its start. As verb_parse, but a control character ends the verb too, and s stays as it is.
 */
enum verb verb_of_start(const char *s, size_t len);

const char *verb_name(enum verb v);   /* "EHLO"; "?" for VERB_UNKNOWN */
enum verb_arg verb_arg(enum verb v);

#endif
