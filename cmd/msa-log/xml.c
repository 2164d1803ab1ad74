/* ISC licence, see LICENSE. */
#include "xml.h"

#include <stdio.h>
#include <string.h>

void
xml_put_n(const char *s, size_t n)
{
	for (; n > 0; s++, n--)
		switch (*s) {
		case '<':
			fputs("&lt;", stdout);
			break;
		case '>':
			fputs("&gt;", stdout);
			break;
		case '&':
			fputs("&amp;", stdout);
			break;
		case '"':
			fputs("&quot;", stdout);
			break;
		default:
			putchar(*s >= ' ' && *s <= '~' ? *s : '?');
		}
}

void
xml_put(const char *s)
{
	xml_put_n(s, strlen(s));
}
