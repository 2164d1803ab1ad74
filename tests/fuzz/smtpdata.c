/* ISC licence, see LICENSE. */
#include "mail/smtpdata.h"

#include <string.h>

#include "fuzz.h"

static int
is_lines(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] == '\0' || (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n')) ||
		    (p[i] == '\n' && (i == 0 || p[i - 1] != '\r')))
			return 0;
	return n == 0 || p[n - 1] == '\n';
}

/* Read the input as DATA in parts of step octets (0: at once), up to the end of the message or of the input. */
static int
dots(struct smtpdata *d, struct msgfile *m, const char *s, size_t n, size_t step, size_t *used)
{
	size_t at = 0, one;
	int end = 0;

	while (at < n && end == 0) {
		end = smtpdata_dots(d, s + at, step && step < n - at ? step : n - at, &one, m);
		MUST(end >= 0 && one <= n - at && (end == 1 || one > 0));
		at += one;
	}
	*used = at;
	return end;
}

/* The first octet selects the mode; the rest is a text, cut in two ways. Without bare octets it has only lines. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data + 1;
	size_t n = size - 1, used, again, i, step;
	struct msgfile a = { 0 }, b = { 0 };
	struct smtpdata d = { 0 }, e = { 0 };
	int end;

	if (size == 0)
		return 0;
	d.mend = e.mend = *data & 1;
	d.line_max = e.line_max = *data & 2 ? 5 : 0;
	step = (*data >> 2) % 7 + 1;
	end = dots(&d, &a, s, n, 0, &used);
	MUST(dots(&e, &b, s, n, step, &again) == end && used == again);
	if (end == 1) {
		MUST(a.mem.len == b.mem.len && (a.mem.len == 0 || memcmp(a.mem.p, b.mem.p, a.mem.len) == 0));
		MUST(d.bare == e.bare && d.is_long == e.is_long);
		MUST(used >= 3 && memcmp(s + used - 3, ".\r\n", 3) == 0 && (used == 3 || memcmp(s + used - 5, "\r\n", 2) == 0));
		MUST(d.bare || is_lines(a.mem.p, a.mem.len));
	}
	msgfile_free(&a);
	msgfile_free(&b);
	d = e = (struct smtpdata){ .line_max = d.line_max };
	MUST(smtpdata_octets(&d, s, n, true, true, &a) == 0);
	for (i = 0; i < n; i += step)
		MUST(smtpdata_octets(&e, s + i, step < n - i ? step : n - i, true, false, &b) == 0);
	MUST(smtpdata_octets(&e, "", 0, true, true, &b) == 0);
	MUST(a.mem.len == b.mem.len && (a.mem.len == 0 || memcmp(a.mem.p, b.mem.p, a.mem.len) == 0));
	MUST(d.bare == e.bare && d.is_long == e.is_long);
	MUST(d.bare || is_lines(a.mem.p, a.mem.len));
	msgfile_free(&a);
	msgfile_free(&b);
	return 0;
}
