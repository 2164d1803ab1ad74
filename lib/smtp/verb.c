/* ISC licence, see LICENSE. */
#include "smtp/verb.h"

#include <string.h>
#include <strings.h>

#include "net/lineio.h"

static const struct {
	const char *name;
	enum verb_arg arg;
} table[VERB_COUNT] = {
	[VERB_UNKNOWN] = { "?", VERB_ARG_OPTIONAL },
	[VERB_EHLO] = { "EHLO", VERB_ARG_REQUIRED },
	[VERB_HELO] = { "HELO", VERB_ARG_REQUIRED },
	[VERB_LHLO] = { "LHLO", VERB_ARG_REQUIRED },
	[VERB_MAIL] = { "MAIL", VERB_ARG_REQUIRED },
	[VERB_RCPT] = { "RCPT", VERB_ARG_REQUIRED },
	[VERB_DATA] = { "DATA", VERB_ARG_NONE },
	[VERB_RSET] = { "RSET", VERB_ARG_NONE },
	[VERB_NOOP] = { "NOOP", VERB_ARG_OPTIONAL },
	[VERB_QUIT] = { "QUIT", VERB_ARG_NONE },
	[VERB_VRFY] = { "VRFY", VERB_ARG_REQUIRED },
	[VERB_EXPN] = { "EXPN", VERB_ARG_REQUIRED },
	[VERB_HELP] = { "HELP", VERB_ARG_OPTIONAL },
	[VERB_BDAT] = { "BDAT", VERB_ARG_REQUIRED },
	[VERB_AUTH] = { "AUTH", VERB_ARG_REQUIRED },
	[VERB_STARTTLS] = { "STARTTLS", VERB_ARG_NONE },
	[VERB_ETRN] = { "ETRN", VERB_ARG_REQUIRED },
	[VERB_ATRN] = { "ATRN", VERB_ARG_OPTIONAL },
	[VERB_TURN] = { "TURN", VERB_ARG_NONE },
	[VERB_BURL] = { "BURL", VERB_ARG_REQUIRED },
};

static int
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The verb that is s[0..n). */
static enum verb
find(const char *s, size_t n)
{
	int v;

	for (v = VERB_UNKNOWN + 1; v < VERB_COUNT; v++)
		if (strlen(table[v].name) == n && strncasecmp(table[v].name, s, n) == 0)
			return (enum verb)v;
	return VERB_UNKNOWN;
}

enum verb
verb_parse(char *line, size_t len, char **arg, size_t *arglen)
{
	size_t n = 0, start;

	while (len > 0 && is_space(line[len - 1]))
		len--;
	line[len] = '\0';
	while (n < len && !is_space(line[n]))
		n++;
	for (start = n; start < len && is_space(line[start]); start++)
		;
	*arg = line + start;
	*arglen = len - start;
	return find(line, n);
}

/* The length of the first word of s. */
static size_t
first_word(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (unsigned char)s[n] > ' ' && s[n] != 127)
		n++;
	return n;
}

enum verb
verb_of_start(const char *s, size_t len)
{
	return find(s, first_word(s, len));
}

bool
verb_is_foreign(const char *s, size_t len)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT" };
	size_t n = first_word(s, len), i;

	for (i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strlen(methods[i]) == n && strncasecmp(methods[i], s, n) == 0)
			return true;
	return (len > 0 && s[0] == LINE_TLS_RECORD) || (n > 0 && s[n - 1] == ':');
}

const char *
verb_name(enum verb v)
{
	return table[v].name;
}

enum verb_arg
verb_arg(enum verb v)
{
	return table[v].arg;
}
