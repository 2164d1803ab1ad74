/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_XML_H
#define MSA_LOG_XML_H

#include <stddef.h>

/* Print a text, or n octets of one, as the content of an element of XML or HTML, or a value in double quotes. */
void xml_put(const char *s);
void xml_put_n(const char *s, size_t n);

#endif
