/* ISC licence, see LICENSE. */
#include "tlsd/cleartext.h"

#include <string.h>

#include "net/lineio.h"
#include "smtp/ehlo.h"
#include "smtp/reply.h"
#include "smtp/verb.h"

int
cleartext_greet(const struct cleartext *c, struct buf *out)
{
	return buf_printf(out, "220 %s %s\r\n", c->host, c->lmtp ? "LMTP" : "ESMTP");
}

static enum cleartext_result
say_to(struct cleartext *c, struct buf *out, enum verb v, enum reply r)
{
	bool enough = reply_code(r) >= 500 && ++c->errors >= CLEARTEXT_ERRORS_MAX;

	if ((enough ? reply_add(out, REPLY_TOO_MANY_ERRORS) : reply_add_to(out, v, r)) < 0)
		return CLEARTEXT_ERROR;
	return enough || r == REPLY_BYE ? CLEARTEXT_END : CLEARTEXT_LINE;
}

static enum cleartext_result
say(struct cleartext *c, struct buf *out, enum reply r)
{
	return say_to(c, out, VERB_UNKNOWN, r);
}

static enum cleartext_result
hello(struct cleartext *c, struct buf *out, bool argument)
{
	static const struct ehlo offer = { .caps = CAP_STARTTLS | CAP_ENHANCEDSTATUSCODES };

	if (!argument)
		return say_to(c, out, VERB_EHLO, REPLY_NO_ARGUMENT);
	return ehlo_reply(out, &offer, c->host) < 0 ? CLEARTEXT_ERROR : CLEARTEXT_LINE;
}

static enum cleartext_result
command(struct cleartext *c, char *line, size_t len, struct buf *out)
{
	char *arg;
	size_t arglen;
	enum verb v = verb_parse(line, len, &arg, &arglen);

	if (c->refused && v != VERB_QUIT)
		return say(c, out, REPLY_CERTIFICATE);
	switch (v) {
	case VERB_EHLO:
	case VERB_HELO:
		if (c->lmtp)
			return say_to(c, out, v, REPLY_UNKNOWN_VERB); /* RFC 2033 4.1 wants 500 */
		return v == VERB_EHLO ? hello(c, out, arglen > 0) : say_to(c, out, v, REPLY_TLS_FIRST);
	case VERB_LHLO:
		return c->lmtp ? hello(c, out, arglen > 0) : say_to(c, out, v, REPLY_TLS_FIRST);
	case VERB_NOOP:
		return say(c, out, REPLY_OK);
	case VERB_STARTTLS:
		return arglen > 0 ? say(c, out, REPLY_SOME_ARGUMENT) : CLEARTEXT_STARTTLS;
	case VERB_QUIT:
		return say(c, out, arglen > 0 ? REPLY_SOME_ARGUMENT : REPLY_BYE);
	default:
		return say(c, out, REPLY_TLS_FIRST);
	}
}

/* Behind the first CRLF of in; in->len where none has come. */
static size_t
behind_crlf(const struct buf *in)
{
	size_t i;

	for (i = 1; i < in->len; i++)
		if (in->p[i] == '\n' && in->p[i - 1] == '\r')
			return i + 1;
	return in->len;
}

enum cleartext_result
cleartext_take(struct cleartext *c, struct buf *in, struct buf *out)
{
	char *lf = in->len ? memchr(in->p, '\n', in->len) : NULL;
	enum cleartext_result r;
	size_t n;

	if (!lf) {
		if (in->len >= LINE_COMMAND_MAX) { /* a CR at the end may be half of the CRLF */
			c->dropping = true;
			buf_consume(in, in->len - (in->p[in->len - 1] == '\r'));
		}
		return CLEARTEXT_MORE;
	}
	n = (size_t)(lf - in->p) + 1;
	if (n < 2 || lf[-1] != '\r') {
		n = behind_crlf(in);
		r = say(c, out, REPLY_LINE_BAD);
	} else if (c->dropping || n > LINE_COMMAND_MAX)
		r = say(c, out, REPLY_LINE_LONG);
	else if (memchr(in->p, '\r', n - 2) || memchr(in->p, '\0', n - 2))
		r = say(c, out, REPLY_LINE_BAD);
	else
		r = command(c, in->p, n - 2, out);
	c->dropping = false;
	buf_consume(in, n);
	return r;
}
