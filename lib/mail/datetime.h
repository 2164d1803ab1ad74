/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_DATETIME_H
#define MSA_MAIL_DATETIME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Returns true if text[begin..end), a field's value, is a date-time of RFC 5322 3.3, or of its obsolete form in 4.3:
 * comments and folding anywhere, years of two or three digits, zones with names. Every number must be one that its
 * place allows: no 31st of June, no hour 24. The name of the day is not compared with the date.
 */
bool datetime_is_valid(const char *text, size_t begin, size_t end);

#endif
