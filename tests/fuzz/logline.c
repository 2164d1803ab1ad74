/* ISC licence, see LICENSE. */
#include "base/logwrap.h"

#include <string.h>

#include "base/log.h"
#include "fuzz.h"
#include "msa/buf.h"

static void
check_text(const struct logline_text *t, const char *s, size_t n)
{
	size_t i;

	MUST(t->p >= s && t->p + t->n <= s + n);
	for (i = 0; i < t->n; i++)
		MUST(t->p[i] >= ' ' && t->p[i] <= '~');
}

static void
check_line(const struct logline *l, const char *s, size_t n)
{
	struct buf b = { 0 };
	struct logline again;
	size_t i;

	check_text(&l->stage, s, n);
	check_text(&l->session, s, n);
	check_text(&l->event, s, n);
	check_text(&l->rest, s, n);
	MUST(l->n <= LOGLINE_FIELDS && l->stage.n > 0 && l->session.n > 0 && l->event.n > 0);
	MUST(l->us >= -1 && l->rest.p + l->rest.n == s + n && l->stage.n + 2 + l->rest.n <= LOG_LINE_MAX);
	MUST(buf_printf(&b, "%.*s%s%.*s %.*s", (int)l->session.n, l->session.p, l->message.n ? "/" : "",
	    (int)l->message.n, l->message.p, (int)l->event.n, l->event.p) == 0);
	for (i = 0; i < l->n; i++) {
		const char *quote = l->field[i].quoted ? "\"" : "";

		check_text(&l->field[i].key, s, n);
		check_text(&l->field[i].value, s, n);
		MUST(buf_printf(&b, " %.*s=%s%.*s%s", (int)l->field[i].key.n, l->field[i].key.p, quote,
		    (int)l->field[i].value.n, l->field[i].value.p, quote) == 0);
		logline_number(l, "ms");
	}
	/* The parts are the whole line, but for the end of one that was cut off. */
	if (!l->cut)
		MUST(b.len == l->rest.n && memcmp(b.p, l->rest.p, b.len) == 0);
	buf_clear(&b);
	MUST(buf_printf(&b, "%.*s: %.*s", (int)l->stage.n, l->stage.p, (int)l->rest.n, l->rest.p) == 0);
	MUST(logline_parse(&again, b.p, b.len) && again.n == l->n && again.cut == l->cut);
	buf_free(&b);
}

/* The input as lines of a log: what is taken is one of ours, is safe for a terminal, and is the same without a wrap. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size, *lf;
	struct logwrap w;
	struct logline l;
	size_t n;

	logwrap_open(&w, 1796006001);
	logwrap_learn(&w, s, size);
	for (; s < end; s += n + (lf != NULL)) {
		lf = memchr(s, '\n', (size_t)(end - s));
		n = lf ? (size_t)(lf - s) : (size_t)(end - s);
		if (logwrap_parse(&w, &l, s, n))
			check_line(&l, s, n);
	}
	return 0;
}
