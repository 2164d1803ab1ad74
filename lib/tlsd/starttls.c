/* ISC licence, see LICENSE. */
#include "tlsd/starttls.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "net/lineio.h"
#include "smtp/reply.h"

enum starttls_result
starttls_look(const struct buf *in, size_t *n, enum verb *verb, bool *argument)
{
	const char *lf = in->len ? memchr(in->p, '\n', in->len) : NULL;
	char line[LINE_COMMAND_MAX], *arg;
	size_t len, arglen;

	if (!lf)
		return in->len < LINE_COMMAND_MAX ? STARTTLS_MORE : STARTTLS_BLIND;
	*n = (size_t)(lf - in->p) + 1;
	if (*n < 2 || *n > LINE_COMMAND_MAX || lf[-1] != '\r')
		return STARTTLS_BLIND;
	len = *n - 2;
	if (memchr(in->p, '\r', len) || memchr(in->p, '\0', len))
		return STARTTLS_BLIND;
	memcpy(line, in->p, len); /* verb_parse writes into it */
	*verb = verb_parse(line, len, &arg, &arglen);
	*argument = arglen > 0;
	switch (*verb) {
	case VERB_STARTTLS:
		return STARTTLS_SAID;
	case VERB_EHLO:
	case VERB_HELO:
	case VERB_LHLO:
	case VERB_NOOP:
	case VERB_RSET:
	case VERB_HELP:
	case VERB_VRFY:
	case VERB_QUIT:
		return STARTTLS_PASS;
	default:
		return STARTTLS_BLIND;
	}
}

bool
starttls_goes_on(int code)
{
	return code != 221 && code != 421 && code / 100 != 3;
}

bool
starttls_is_keyword(const char *text, size_t len)
{
	static const char keyword[] = "STARTTLS";
	size_t n = sizeof keyword - 1;

	return len >= n && strncasecmp(text, keyword, n) == 0 &&
	    (len == n || !(isalnum((unsigned char)text[n]) || text[n] == '-'));
}

int
starttls_offer(struct buf *reply, bool offer)
{
	struct buf out = { 0 };
	size_t at = 0, line = 0;
	bool failed = false;

	while (!failed && at < reply->len) {
		const char *s = reply->p + at, *lf = memchr(s, '\n', reply->len - at), *text;
		size_t len = lf ? (size_t)(lf - s) : reply->len - at, textlen;
		bool last;
		int code;

		at += len + 1;
		if (len > 0 && s[len - 1] == '\r')
			len--;
		if (!reply_line(s, len, &code, &last, &text, &textlen))
			continue; /* cannot happen: the reply is complete */
		if (out.len > 0 && starttls_is_keyword(text, textlen))
			continue;
		line = out.len;
		failed = buf_puts(&out, "250-") < 0 || buf_add(&out, text, textlen) < 0 || buf_puts(&out, "\r\n") < 0;
	}
	if (!failed && offer) {
		line = out.len;
		failed = buf_puts(&out, "250-STARTTLS\r\n") < 0;
	}
	if (failed || out.len == 0) {
		buf_free(&out);
		return failed ? -1 : 0;
	}
	out.p[line + 3] = ' ';
	buf_free(reply);
	*reply = out;
	return 0;
}
