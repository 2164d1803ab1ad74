/* ISC licence, see LICENSE. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 4 };

static void
indent(const struct say *s, int more)
{
	printf("%*s", INDENT * (s->depth + more), "");
}

/* Print a word, in quotes where a shell would not read it as it is. */
static void
put_word(const char *word)
{
	const char *p;

	for (p = word; *p && (strchr("_-./:@%+=,", *p) || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
	                         (*p >= 'A' && *p <= 'Z')); p++)
		;
	if (*word && !*p) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (p = word; *p; p++)
		if (*p == '\'')
			fputs("'\\''", stdout);
		else
			putchar((unsigned char)*p < ' ' || *p == 127 ? '?' : *p);
	putchar('\'');
}

void
say_words(const struct say *s, char *const *argv, size_t n, const char *after)
{
	size_t i;

	indent(s, 0);
	for (i = 0; i < n; i++) {
		if (i > 0)
			putchar(' ');
		put_word(argv[i]);
	}
	puts(after);
}

void
say_title(const struct say *s, const char *fmt, ...)
{
	va_list ap;

	indent(s, 0);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void
say_line(const struct say *s, const char *fmt, ...)
{
	va_list ap;

	indent(s, 1);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

const char *
say_text(char to[SAY_TEXT], const char *text, size_t n)
{
	size_t i, len = 0, shown = 0;

	for (i = 0; i < n && shown < SAY_TEXT_MAX; i++, shown++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\r' || c == '\n') {
			while (i + 1 < n && strchr(" \t\r\n", text[i + 1]) && text[i + 1])
				i++;
			c = ' ';
		}
		if (c == '\t')
			c = ' ';
		len += (size_t)snprintf(to + len, SAY_TEXT - len, c < ' ' || c > '~' ? "\\x%02X" : "%c", c);
	}
	snprintf(to + len, SAY_TEXT - len, "%s", i < n ? "..." : "");
	return to;
}
