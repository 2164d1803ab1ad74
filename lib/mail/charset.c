/* ISC licence, see LICENSE. */
#include "mail/charset.h"

#include <string.h>
#include <strings.h>

#include "smtp/addr.h"

/*
 * Only sets that mail programs still write, and in which no reader takes a part of a letter for an ASCII character.
 */
static const struct {
	const char *name;
	struct charset set;
} sets[] = {
	{ "utf-8", { .kind = CHARSET_UTF8 } },
	{ "utf8", { .kind = CHARSET_UTF8 } },
	{ "us-ascii", { .kind = CHARSET_UTF8 } },
	{ "iso-8859-1", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-2", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-3", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-4", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-5", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-6", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-7", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-8", { .kind = CHARSET_ISO8859, .has_marks = true } },
	{ "iso-8859-8-i", { .kind = CHARSET_ISO8859, .has_marks = true } },
	{ "iso-8859-9", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-10", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-11", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-13", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-14", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-15", { .kind = CHARSET_ISO8859 } },
	{ "iso-8859-16", { .kind = CHARSET_ISO8859 } },
	{ "tis-620", { .kind = CHARSET_ISO8859 } },
	{ "windows-874", { .kind = CHARSET_SINGLE } },
	{ "windows-1250", { .kind = CHARSET_SINGLE } },
	{ "windows-1251", { .kind = CHARSET_SINGLE } },
	{ "windows-1252", { .kind = CHARSET_SINGLE } },
	{ "windows-1253", { .kind = CHARSET_SINGLE } },
	{ "windows-1254", { .kind = CHARSET_SINGLE } },
	{ "windows-1255", { .kind = CHARSET_SINGLE, .has_marks = true } },
	{ "windows-1256", { .kind = CHARSET_SINGLE, .has_marks = true } },
	{ "windows-1257", { .kind = CHARSET_SINGLE } },
	{ "windows-1258", { .kind = CHARSET_SINGLE } },
	{ "koi8-r", { .kind = CHARSET_SINGLE } },
	{ "koi8-u", { .kind = CHARSET_SINGLE } },
	{ "gb2312", { .kind = CHARSET_DOUBLE, .wide_at = 0xa3c0 } },
	{ "gbk", { .kind = CHARSET_DOUBLE, .wide_at = 0xa3c0 } },
	{ "gb18030", { .kind = CHARSET_DOUBLE, .wide_at = 0xa3c0 } },
	{ "big5", { .kind = CHARSET_DOUBLE, .wide_at = 0xa249 } },
	{ "euc-kr", { .kind = CHARSET_DOUBLE, .wide_at = 0xa3c0 } },
	{ "ks_c_5601-1987", { .kind = CHARSET_DOUBLE, .wide_at = 0xa3c0 } },
	{ "iso-2022-jp", { .kind = CHARSET_JIS, .wide_at = 0x2177 } },
};

struct charset
charset_find(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof sets / sizeof *sets; i++)
		if (strlen(sets[i].name) == n && strncasecmp(sets[i].name, name, n) == 0)
			return sets[i].set;
	return (struct charset){ .kind = CHARSET_UNKNOWN };
}

/* The octet i places after the current one; 0 after the end. */
static unsigned char
octet(const struct charset_text *t, size_t i)
{
	return t->pos + i < t->n ? (unsigned char)t->s[t->pos + i] : 0;
}

static long
next_utf8(struct charset_text *t)
{
	unsigned char c = octet(t, 0);
	size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3, i;
	long code = more == 0 ? c : c & (0x3f >> more);

	if (t->n - t->pos <= more || !addr_is_utf8(t->s + t->pos, more + 1))
		return CHARSET_INVALID;
	for (i = 1; i <= more; i++)
		code = code << 6 | (octet(t, i) & 0x3f);
	t->pos += more + 1;
	return code;
}

static long
next_single(struct charset_text *t)
{
	unsigned char c = octet(t, 0);

	t->pos++;
	if (t->set.has_marks && (c == 0xfd || c == 0xfe))
		return c == 0xfd ? 0x200e : 0x200f;
	return c < 0x80 || (t->set.kind == CHARSET_ISO8859 && c < 0xa0) ? c : CHARSET_OTHER;
}

/* A second octet below 64 is one of four in GB 18030, which has all of Unicode. A second octet "@" is told as "@". */
static long
next_double(struct charset_text *t)
{
	unsigned char c = octet(t, 0), second = octet(t, 1);

	if (c < 0x80) {
		t->pos++;
		return c;
	}
	if (c == 0x80 || c == 0xff || second < 0x40 || second == 0x7f || second == 0xff)
		return CHARSET_INVALID;
	t->pos += 2;
	return (c << 8 | second) == (int)t->set.wide_at ? CHARSET_WIDE_AT : second == '@' ? '@' : CHARSET_OTHER;
}

static long
next_jis(struct charset_text *t)
{
	static const char narrow[] = "(B(J", wide[] = "$@$B";
	unsigned char c = octet(t, 0), second = octet(t, 1), third = octet(t, 2);
	size_t i;

	if (c == 0x1b) {
		for (i = 0; i < sizeof wide - 1; i += 2) {
			bool is_wide = second == wide[i] && third == wide[i + 1];

			if (is_wide || (second == narrow[i] && third == narrow[i + 1])) {
				t->wide = is_wide;
				t->pos += 3;
				return t->wide && t->pos == t->n ? CHARSET_INVALID : CHARSET_NONE;
			}
		}
		return CHARSET_INVALID;
	}
	if (!t->wide && c < 0x80) {
		t->pos++;
		return c;
	}
	if (!t->wide || c < '!' || c > '~' || second < '!' || second > '~' || t->pos + 2 == t->n)
		return CHARSET_INVALID;
	t->pos += 2;
	return (c << 8 | second) == (int)t->set.wide_at ? CHARSET_WIDE_AT : CHARSET_OTHER;
}

long
charset_next(struct charset_text *t)
{
	switch (t->set.kind) {
	case CHARSET_UTF8:
		return next_utf8(t);
	case CHARSET_ISO8859:
	case CHARSET_SINGLE:
		return next_single(t);
	case CHARSET_DOUBLE:
		return next_double(t);
	case CHARSET_JIS:
		return next_jis(t);
	default:
		return CHARSET_INVALID;
	}
}

bool
charset_is_control(long c)
{
	return (c >= 0 && c < ' ') || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool
charset_is_single(const char *name, size_t n)
{
	enum charset_kind kind = charset_find(name, n).kind;

	return kind == CHARSET_ISO8859 || kind == CHARSET_SINGLE;
}
