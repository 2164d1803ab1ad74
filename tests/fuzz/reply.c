/* ISC licence, see LICENSE. */
#include "smtp/reply.h"

#include <string.h>

#include "fuzz.h"
#include "net/lineio.h"

/* Lines of a reply from somewhere else: what goes out is one reply, its lines short and of printable ASCII. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size, *text, *p, *crlf;
	struct reply_foreign r = { 0 };
	struct buf out = { 0 };
	size_t textlen;
	int code;
	bool last;

	while (s < end) {
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		size_t n = lf ? (size_t)(lf - s) : (size_t)(end - s);

		if (reply_line(s, n, &code, &last, &text, &textlen)) {
			MUST(code >= 200 && code <= 599 && text >= s && text + textlen <= s + n);
			reply_take(&r, code, text, textlen);
		}
		s += n + (lf != NULL);
	}
	if (r.text) {
		MUST(strlen(r.text) <= REPLY_TEXT_MAX);
		MUST(reply_translate(&r) == 0 && r.code != 421 && r.code / 100 != 3 && r.code / 10 != 50 && r.code / 10 != 53);
		MUST(reply_add_foreign(&out, &r) == 0);
		for (p = out.p; *p; p = crlf + 2) {
			crlf = strstr(p, "\r\n");
			MUST(crlf && crlf - p + 2 <= LINE_REPLY_MAX);
			MUST(reply_line(p, (size_t)(crlf - p), &code, &last, &text, &textlen));
			MUST(code == r.code && last == (crlf[2] == '\0'));
			for (s = p; s < crlf; s++)
				MUST((*s >= ' ' && *s <= '~') || *s == '\t');
		}
	}
	buf_free(&out);
	reply_foreign_free(&r);
	return 0;
}
