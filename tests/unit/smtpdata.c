/* ISC licence, see LICENSE. */
#include "mail/smtpdata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { LENGTH = 7, ROOM = 64, LINE = 4 };

static const char alphabet[] = { '\r', '\n', '.', 'a', '\0' };

/* The text that a message file would hold. Addition number fail_at fails (0: no addition fails). */
static struct sink {
	bool used;
	char text[ROOM];
	size_t len;
	int fail_at, adds;
} sink;

/* The linker puts these in the place of msgfile_add (-Wl,--wrap): the drivers of other modules use the real one. */
int __real_msgfile_add(struct msgfile *m, const void *data, size_t n);
int __wrap_msgfile_add(struct msgfile *m, const void *data, size_t n);

int
__wrap_msgfile_add(struct msgfile *m, const void *data, size_t n)
{
	if (!sink.used)
		return __real_msgfile_add(m, data, n);
	if (++sink.adds == sink.fail_at) {
		errno = ENOSPC;
		return -1;
	}
	memcpy(sink.text + sink.len, data, n);
	sink.len += n;
	return 0;
}

struct result {
	bool ended, bare, is_long, failed;
	size_t used, len;
	char text[ROOM];
};

static void
show(const char *what, const char *in, size_t n, const struct result *r)
{
	size_t i;

	printf("%s: ended %d bare %d long %d used %zu text \"", what, r->ended, r->bare, r->is_long, r->used);
	for (i = 0; i < r->len; i++)
		printf("\\x%02x", (unsigned char)r->text[i]);
	printf("\" of \"");
	for (i = 0; i < n; i++)
		printf("\\x%02x", (unsigned char)in[i]);
	printf("\"\n");
}

static bool
has_bare(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] == '\0' || (s[i] == '\r' && (i + 1 == n || s[i + 1] != '\n')) ||
		    (s[i] == '\n' && (i == 0 || s[i - 1] != '\r')))
			return true;
	return false;
}

/* A line has more than LINE octets, in a text without bare octets. */
static bool
has_long(const char *s, size_t n)
{
	size_t i, start = 0;

	for (i = 0; i < n; i++)
		if (s[i] == '\n') {
			if (i + 1 - start > LINE)
				return true;
			start = i + 1;
		}
	return false;
}

/*
 * The plain implementation. The end is the first CR LF "." CR LF, with a CR LF before the text; each other line loses
 * its leading dot. mend: after that each LF without a CR gets one.
 */
static void
expected(const char *in, size_t n, bool mend, struct result *r)
{
	char all[ROOM] = "\r\n";
	size_t i, end = 0;

	*r = (struct result){ 0 };
	memcpy(all + 2, in, n);
	for (i = 0; i + 5 <= n + 2 && !r->ended; i++)
		if (memcmp(all + i, "\r\n.\r\n", 5) == 0) {
			r->ended = true;
			end = i + 2;
		}
	if (!r->ended)
		return;
	r->used = end + 3 - 2;
	for (i = 2; i < end; i++) {
		if (all[i] == '.' && all[i - 1] == '\n' && all[i - 2] == '\r')
			continue;
		if (mend && all[i] == '\n' && all[i - 1] != '\r')
			r->text[r->len++] = '\r';
		r->text[r->len++] = all[i];
	}
	r->bare = mend ? has_bare(r->text, r->len) : has_bare(all, end);
	r->is_long = !r->bare && has_long(r->text, r->len);
}

/* Read as submitd does: in the parts [0, cut) and [cut, n), or octet by octet if cut is 0. */
static void
dots(const char *in, size_t n, size_t cut, bool mend, int fail_at, struct result *r)
{
	struct msgfile m = { 0 };
	struct smtpdata d = { .mend = mend, .line_max = LINE };
	size_t at = 0, used;

	sink = (struct sink){ .used = true, .fail_at = fail_at };
	*r = (struct result){ 0 };
	while (at < n && !r->ended) {
		size_t part = cut == 0 ? 1 : at < cut ? cut - at : n - at;
		int end = smtpdata_dots(&d, in + at, part, &used, r->failed ? NULL : &m);

		if (end < 0)
			r->failed = true;
		r->ended = end == 1;
		at += used;
	}
	r->used = at;
	r->bare = d.bare;
	r->is_long = d.is_long && !d.bare;
	r->len = sink.len;
	memcpy(r->text, sink.text, sink.len);
}

static void
octets(const char *in, size_t n, size_t cut, struct result *r)
{
	struct msgfile m = { 0 };
	struct smtpdata d = { .line_max = LINE };
	size_t at = 0;

	sink = (struct sink){ .used = true };
	while (at < n) {
		size_t part = cut == 0 ? 1 : at < cut ? cut - at : n - at;

		smtpdata_octets(&d, in + at, part, true, false, &m);
		at += part;
	}
	smtpdata_octets(&d, "", 0, true, true, &m);
	*r = (struct result){ .used = n, .bare = d.bare, .is_long = d.is_long && !d.bare, .len = sink.len };
	memcpy(r->text, sink.text, sink.len);
}

static bool
same(const struct result *a, const struct result *b)
{
	return a->ended == b->ended && a->bare == b->bare && a->is_long == b->is_long && a->used == b->used &&
	    a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Check one text by DATA, cut everywhere. Returns 0 or -1. */
static int
check_dots(const char *in, size_t n, bool mend)
{
	struct result want, got;
	size_t cut;
	int fail;

	expected(in, n, mend, &want);
	for (cut = 0; cut <= n; cut++) {
		dots(in, n, cut, mend, 0, &got);
		if (got.ended != want.ended || (want.ended && !same(&got, &want))) {
			show("expected", in, n, &want);
			show(mend ? "smtpdata_dots, mending" : "smtpdata_dots", in, n, &got);
			return -1;
		}
		for (fail = 1; fail <= 4; fail++) {
			dots(in, n, cut, mend, fail, &got);
			if (got.ended != want.ended || (want.ended && (got.used != want.used || got.bare != want.bare))) {
				show("expected", in, n, &want);
				show("smtpdata_dots, failing", in, n, &got);
				return -1;
			}
		}
	}
	return 0;
}

/* Check one text by BDAT: it stays as it is, and a last line without CRLF gets one. */
static int
check_octets(const char *in, size_t n)
{
	struct result want = { .used = n, .bare = has_bare(in, n), .len = n }, got;
	size_t cut;

	memcpy(want.text, in, n);
	if (n > 0 && in[n - 1] != '\r' && !(n > 1 && in[n - 2] == '\r' && in[n - 1] == '\n')) {
		memcpy(want.text + n, "\r\n", 2);
		want.len += 2;
	}
	want.is_long = !want.bare && has_long(want.text, want.len);
	for (cut = 0; cut <= n; cut++) {
		octets(in, n, cut, &got);
		if (!same(&got, &want)) {
			show("expected", in, n, &want);
			show("smtpdata_octets", in, n, &got);
			return -1;
		}
	}
	return 0;
}

/* Check one text in every way. Returns 0 or -1. */
static int
check(const char *in, size_t n)
{
	return check_dots(in, n, false) < 0 || check_dots(in, n, true) < 0 || check_octets(in, n) < 0 ? -1 : 0;
}

/*
 * Compares smtpdata_dots and smtpdata_octets with a plain reading of RFC 5321 4.1.1.4 and 4.5.2 that sees the whole
 * text at once. Does that for every text of up to LENGTH octets from the alphabet that matters: cut at every place,
 * octet by octet, with bare LFs mended and not, and with a message file that fails at each of its additions. Prints
 * the number of texts; returns 1 at the first difference.
 * octets: prints the length of each line of standard input instead, escapes undone.
 */
int
unit_smtpdata(int argc, char **argv)
{
	static const char tail[] = "\r\n.\r\nQUIT";
	char in[ROOM];
	size_t n, i;
	long texts = 0;

	if (argc > 1 && strcmp(argv[1], "octets") == 0) {
		char *s;

		for (; (s = unit_line(&n, NULL)); free(s))
			printf("%zu\n", n);
		return 0;
	}
	for (n = 0; n <= LENGTH; n++) {
		size_t digit[LENGTH] = { 0 };

		for (;;) {
			for (i = 0; i < n; i++)
				in[i] = alphabet[digit[i]];
			memcpy(in + n, tail, sizeof tail);
			/* alone, and with the true end and a command after it */
			if (check(in, n) < 0 || check(in, n + sizeof tail - 1) < 0)
				return 1;
			texts++;
			for (i = 0; i < n && ++digit[i] == sizeof alphabet; i++)
				digit[i] = 0;
			if (i == n)
				break;
		}
	}
	printf("%ld texts\n", texts);
	return 0;
}
