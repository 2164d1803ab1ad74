/* ISC licence, see LICENSE. */
#include "tlsd/starttls.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "smtp.h"
#include "net/lineio.h"
#include "smtp/lastreply.h"
#include "smtp/reply.h"

/* The input as what a client says: what is taken for STARTTLS is that line and no other. */
static void
look(const char *s, size_t size)
{
	struct buf in = { 0 };
	bool argument;
	enum verb verb;
	size_t n;

	MUST(buf_add(&in, s, size) == 0);
	for (;;) {
		switch (starttls_look(&in, &n, &verb, &argument)) {
		case STARTTLS_MORE:
			MUST(in.len < LINE_COMMAND_MAX && !memchr(in.p, '\n', in.len));
			/* FALLTHROUGH */
		case STARTTLS_BLIND:
			buf_free(&in);
			return;
		case STARTTLS_SAID:
			MUST(verb == VERB_STARTTLS && strncasecmp(in.p, "STARTTLS", 8) == 0);
			/* FALLTHROUGH */
		case STARTTLS_PASS:
			MUST(n >= 2 && n <= in.len && n <= LINE_COMMAND_MAX && memcmp(in.p + n - 2, "\r\n", 2) == 0);
			MUST(!memchr(in.p, '\n', n - 1) && !memchr(in.p, '\r', n - 2));
			buf_consume(&in, n);
		}
	}
}

/* As a stage's reply: with the offer it is one reply of one line STARTTLS, without it of none. */
static void
offer(const char *s, size_t size, bool ours)
{
	struct buf b = { 0 };
	struct lastreply tail = { { 0 }, 0, { 0 } };
	ssize_t n;
	int code, again, starttls = 0;
	const char *p, *crlf;

	n = reply_whole(s, size, &code);
	MUST(n >= -1 && n <= (ssize_t)size);
	if (n <= 0)
		return;
	MUST(code >= 200 && code <= 599 && s[n - 1] == '\n');
	if (code != 250)
		return;
	MUST(buf_add(&b, s, (size_t)n) == 0 && starttls_offer(&b, ours) == 0);
	if (!memchr(b.p, '\0', b.len)) {
		MUST(reply_whole(b.p, b.len, &again) == (ssize_t)b.len && again == 250);
		for (p = b.p; *p; p = crlf + 2) {
			crlf = strstr(p, "\r\n");
			MUST(crlf);
			starttls += p > b.p && strncasecmp(p + 4, "STARTTLS", 8) == 0 &&
			    !isalnum((unsigned char)p[12]) && p[12] != '-';
		}
		MUST(starttls == ours);
	}
	lastreply_note(&tail, b.p, b.len);
	MUST(lastreply_is_complete(&tail) && !lastreply_is_goodbye(&tail));
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look((const char *)data, size);
	offer((const char *)data, size, true);
	offer((const char *)data, size, false);
	return 0;
}
