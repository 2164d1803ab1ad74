/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_MIMEPARAM_H
#define MSA_MAIL_MIMEPARAM_H

#include <stddef.h>

#include "msa/buf.h"

/* The parameters of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2183), for mail without SMTPUTF8. */
enum mimeparam_result {
	MIMEPARAM_OK,
	MIMEPARAM_UNCLEAR, /* it is not certain what an octet over 127 belongs to, or to what parameter */
	MIMEPARAM_CHARSET, /* a value is not UTF-8, and there is no other character set */
	MIMEPARAM_ERROR,   /* errno is set (ENOMEM) */
};

enum {
	MIMEPARAM_MAX = 64,      /* parameters in a field with octets over 127 */
	MIMEPARAM_NAME_MAX = 32, /* octets of the name of one with such octets */
};

/*
 * Append a field's value, text[begin..end), to out, where the field's name stands already. A parameter with octets over
 * 127 gets the form of RFC 2231, name*=utf-8''%C3%BC, in pieces (name*0*) where a line would have more than 76 octets;
 * each piece begins a line, and eol ends the line before. If the parameter stands beside it in that form already, which
 * readers prefer, the one with such octets goes, and leaves no line of white space. Everything else stays octet for
 * octet. charset is that of values that are not UTF-8; NULL: none.
 */
enum mimeparam_result mimeparam_encode(struct buf *out, const char *text, size_t begin, size_t end,
    const char *charset, const char *eol);

#endif
