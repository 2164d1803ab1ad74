/* ISC licence, see LICENSE. */
#include "tlsd/cleartext.h"

#include <string.h>

#include "chain/limits.h"
#include "smtp/chunk.h"
#include "smtp/ehlo.h"
#include "smtp/greet.h"
#include "smtp/reply.h"
#include "smtp/verb.h"

void
cleartext_open(struct cleartext *c, const char *host, bool lmtp)
{
	*c = (struct cleartext){ .host = host, .lmtp = lmtp,
		.patience = { .errors_max = CHAIN_ERRORS_MAX, .idle_max = CHAIN_IDLE_MAX } };
}

static enum cleartext_result
end(struct cleartext *c, struct buf *out, enum reply r, const char *why)
{
	c->end = why;
	return reply_add(out, r) < 0 ? CLEARTEXT_ERROR : CLEARTEXT_END;
}

/* A command was answered with code: count it, and end the dialogue if there were too many. */
static enum cleartext_result
count(struct cleartext *c, struct buf *out, int code)
{
	enum reply r = patience_count(&c->patience, code, true);

	if (r == REPLY_OK)
		return CLEARTEXT_LINE;
	return end(c, out, r, r == REPLY_TOO_MANY_ERRORS ? "errors" : "commands");
}

static enum cleartext_result
foreign(struct cleartext *c, struct buf *out)
{
	return end(c, out, REPLY_FOREIGN, "foreign");
}

/* Answer the command v with r. */
static enum cleartext_result
say_to(struct cleartext *c, struct buf *out, enum verb v, enum reply r)
{
	return reply_add_to(out, v, r) < 0 ? CLEARTEXT_ERROR : count(c, out, reply_code(r));
}

static enum cleartext_result
say(struct cleartext *c, struct buf *out, enum reply r)
{
	return say_to(c, out, VERB_UNKNOWN, r);
}

static enum cleartext_result
hello(struct cleartext *c, struct buf *out, enum verb v, bool argument)
{
	static const struct ehlo offer = { .caps = CAP_STARTTLS | CAP_ENHANCEDSTATUSCODES };

	if (!argument)
		return say_to(c, out, v, REPLY_NO_ARGUMENT);
	return greet_hello(out, v, &offer, c->host) < 0 ? CLEARTEXT_ERROR : count(c, out, 250);
}

/* A BDAT whose length is unknown is answered r. What follows cannot be told from commands, so the connection ends. */
static enum cleartext_result
lose_chunk(struct cleartext *c, struct buf *out, enum reply r)
{
	if (reply_add(out, r) < 0)
		return CLEARTEXT_ERROR;
	return end(c, out, REPLY_CHUNK_LENGTH, "chunk");
}

static enum cleartext_result
refuse(struct cleartext *c, struct buf *out)
{
	return say(c, out, c->refused ? REPLY_CERTIFICATE : REPLY_TLS_FIRST);
}

/* Skip what has come of the chunk. The BDAT is answered once all of it was skipped. */
static enum cleartext_result
skip_chunk(struct cleartext *c, struct buf *in, struct buf *out)
{
	buf_consume(in, chunk_take(&c->chunk, in->len));
	return c->chunk > 0 ? CLEARTEXT_MORE : refuse(c, out);
}

static enum cleartext_result
bdat(struct cleartext *c, const char *arg, size_t len, struct buf *out)
{
	struct chunk chunk;

	if (chunk_parse(&chunk, arg, len) < 0)
		return lose_chunk(c, out, REPLY_BAD_ARGUMENT);
	c->chunk = chunk.size;
	return c->chunk > 0 ? CLEARTEXT_LINE : refuse(c, out);
}

/* Answer a line that cannot be read as a command; head is its start. */
static enum cleartext_result
bad_line(struct cleartext *c, const char *head, size_t n, struct buf *out, enum reply r)
{
	if (verb_is_foreign(head, n))
		return foreign(c, out);
	return verb_of_start(head, n) == VERB_BDAT ? lose_chunk(c, out, r) : say(c, out, r);
}

/* Count STARTTLS too: a client could repeat it for ever after 454. */
static enum cleartext_result
starttls(struct cleartext *c, struct buf *out)
{
	if (patience_count(&c->patience, 220, true) == REPLY_OK)
		return CLEARTEXT_STARTTLS;
	return say(c, out, REPLY_NO_TLS_NOW);
}

static enum cleartext_result
command(struct cleartext *c, char *line, size_t len, struct buf *out)
{
	char *arg;
	size_t arglen;
	enum verb v = verb_parse(line, len, &arg, &arglen);

	if (v == VERB_UNKNOWN && verb_is_foreign(line, len))
		return foreign(c, out);
	if (v == VERB_BDAT)
		return bdat(c, arg, arglen, out);
	if (c->refused && v != VERB_QUIT)
		return refuse(c, out);
	switch (v) {
	case VERB_EHLO:
	case VERB_HELO:
		if (c->lmtp)
			return say_to(c, out, v, REPLY_UNKNOWN_VERB); /* RFC 2033 4.1 wants 500 */
		return v == VERB_EHLO ? hello(c, out, v, arglen > 0) : say_to(c, out, v, REPLY_TLS_FIRST);
	case VERB_LHLO:
		return c->lmtp ? hello(c, out, v, arglen > 0) : say_to(c, out, v, REPLY_TLS_FIRST);
	case VERB_NOOP:
		return say(c, out, REPLY_OK);
	case VERB_STARTTLS:
		return arglen > 0 ? say(c, out, REPLY_SOME_ARGUMENT) : starttls(c, out);
	case VERB_QUIT:
		return arglen > 0 ? say(c, out, REPLY_SOME_ARGUMENT) : end(c, out, REPLY_BYE, NULL);
	default:
		return refuse(c, out);
	}
}

/* The offset after the first CRLF in in, or in->len if there is none. */
static size_t
after_crlf(const struct buf *in)
{
	size_t i;

	for (i = 1; i < in->len; i++)
		if (in->p[i] == '\n' && in->p[i - 1] == '\r')
			return i + 1;
	return in->len;
}

/* There is no line end in in yet. Drop the line once it is too long, but keep its start. */
static void
wait_for_end(struct cleartext *c, struct buf *in)
{
	if (in->len < LINE_COMMAND_MAX)
		return;
	if (!c->dropping)
		memcpy(c->head, in->p, sizeof c->head);
	c->dropping = true;
	buf_consume(in, in->len - (in->p[in->len - 1] == '\r')); /* a CR at the end may be half of the CRLF */
}

enum cleartext_result
cleartext_take(struct cleartext *c, struct buf *in, struct buf *out)
{
	enum cleartext_result r;
	const char *head, *lf;
	size_t n, head_len;

	if (c->chunk > 0)
		return skip_chunk(c, in, out);
	lf = in->len ? memchr(in->p, '\n', in->len) : NULL;
	if (!lf) {
		if (in->len > 0 && *in->p == LINE_TLS_RECORD && !c->dropping)
			return foreign(c, out);
		wait_for_end(c, in);
		return CLEARTEXT_MORE;
	}
	n = (size_t)(lf - in->p) + 1;
	head = c->dropping ? c->head : in->p;
	head_len = c->dropping || n > sizeof c->head ? sizeof c->head : n;
	if (n < 2 || lf[-1] != '\r') {
		n = after_crlf(in);
		r = bad_line(c, head, head_len, out, REPLY_LINE_BAD);
	} else if (c->dropping || n > LINE_COMMAND_MAX)
		r = bad_line(c, head, head_len, out, REPLY_LINE_LONG);
	else if (memchr(in->p, '\r', n - 2) || memchr(in->p, '\0', n - 2))
		r = bad_line(c, head, head_len, out, REPLY_LINE_BAD);
	else
		r = command(c, in->p, n - 2, out);
	c->dropping = false;
	buf_consume(in, n);
	return r;
}
