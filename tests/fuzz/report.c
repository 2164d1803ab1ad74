/* ISC licence, see LICENSE. */
#include "mail/report.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "chain/dsn.h"
#include "fuzz.h"
#include "msa/msgfile.h"
#include "smtp/addr.h"

enum { RCPTS = 4, TEXT_MAX = 4194304 };

/* Check what every report must have: CRLF line ends, lines within RFC 5322's length, 7-bit text. */
static void
look(const struct buf *b, bool may_be_eight, bool header_may_be_utf8)
{
	size_t i, line = 0;
	bool header = true;

	for (i = 0; i < b->len; i++) {
		char c = b->p[i];

		if (c == '\n') {
			MUST(i > 0 && b->p[i - 1] == '\r');
			header = header && line > 1;
			line = 0;
			continue;
		}
		line++;
		MUST(c != '\r' || (i + 1 < b->len && b->p[i + 1] == '\n'));
		MUST(c != '\0' && ((unsigned char)c < 128 || may_be_eight || (header && header_may_be_utf8)));
		MUST(line <= 999);
	}
	MUST(b->len > 4 && memcmp(b->p + b->len - 4, "--\r\n", 4) == 0);
}

/* The text up to an octet of 0xff is an envelope, up to the next the replies, then the message. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *replies = memchr(data, 0xff, size), *text;
	struct reply_foreign reply[RCPTS];
	struct report_rcpt rcpt[RCPTS];
	struct envelope e = { 0 };
	struct buf b = { 0 }, out = { 0 };
	struct report r;
	const char *params, *why;
	size_t n = 0, i;
	int fd;

	if (!replies || !(text = memchr(replies + 1, 0xff, size - (size_t)(replies + 1 - data))))
		return 0;
	MUST(buf_add(&b, data, (size_t)(replies - data)) == 0);
	if (envelope_parse(&e, &b, &why) < 0)
		return 0;
	memset(reply, 0, sizeof reply);
	for (i = 0; i < e.nrcpt && n < RCPTS; i++)
		if (e.rcpt[i].kind == ENVELOPE_RCPT) {
			MUST(reply_take(&reply[n], 550, (const char *)replies + 1, (size_t)(text - replies - 1)) == 0);
			rcpt[n] = (struct report_rcpt){ &e.rcpt[i], &reply[n], (enum report_action)(n % 4) };
			dsn_notify(&e.rcpt[i]);
			n++;
		}
	MUST(dsn_strip(&b, &e) == 0);
	if (!dsn_is_asked(&e)) { /* then nothing changes but separators */
		MUST(b.len > 0 && b.p[b.len - 1] == '\n');
	} else {
		struct envelope stripped = { 0 };

		MUST(envelope_parse(&stripped, &b, &why) == 0 && !dsn_is_asked(&stripped));
		MUST(stripped.nrcpt == e.nrcpt && stripped.ncopy == e.ncopy);
		envelope_free(&stripped);
	}
	if (n > 0) {
		r = (struct report){
			.envelope = &e, .message = msgfile_of((const char *)text + 1, size - (size_t)(text + 1 - data)),
			.id = "m", .arrival = 1, .rcpt = rcpt, .n = n, .report_id = "r", .host = "mx.test", .date = 1,
			.quote_max = size % 2 ? 64 : 65536,
		};
		MUST(r.message >= 0);
		fd = report_make(&r, &params);
		MUST(fd >= 0 && file_slurp(fd, TEXT_MAX, &out) == 0);
		look(&out, strcmp(params, " BODY=8BITMIME") == 0, strcmp(params, " SMTPUTF8") == 0);
		close(fd);
		close(r.message);
	}
	for (i = 0; i < n; i++)
		reply_foreign_free(&reply[i]);
	envelope_free(&e);
	buf_free(&b);
	buf_free(&out);
	return 0;
}
