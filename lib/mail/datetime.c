/* ISC licence, see LICENSE. */
#include "mail/datetime.h"

#include <strings.h>

#include "mail/addrlist.h"

enum { YEAR_DIGITS_MAX = 8, ZONE_LETTERS_MAX = 5 };

struct scan {
	const char *s;
	size_t pos, end;
};

static bool
skip(struct scan *t)
{
	return addrlist_skip_cfws(t->s, &t->pos, t->end);
}

static bool
is_digit(const struct scan *t)
{
	return t->pos < t->end && t->s[t->pos] >= '0' && t->s[t->pos] <= '9';
}

static bool
is_letter(const struct scan *t)
{
	return t->pos < t->end && ((t->s[t->pos] | 0x20) >= 'a' && (t->s[t->pos] | 0x20) <= 'z');
}

/* Read this character, and what may stand before it. */
static bool
read_mark(struct scan *t, char c)
{
	if (!skip(t) || t->pos == t->end || t->s[t->pos] != c)
		return false;
	t->pos++;
	return true;
}

/* Read a number of so many digits, and what may stand before it. Returns it, or -1. *digits, if not NULL, is set. */
static int
read_number(struct scan *t, size_t least, size_t most, size_t *digits)
{
	int value = 0;
	size_t n = 0;

	if (!skip(t))
		return -1;
	for (; n < most && is_digit(t); n++)
		value = value * 10 + (t->s[t->pos++] - '0');
	if (digits)
		*digits = n;
	return n < least || is_digit(t) ? -1 : value;
}

/* Read one of the names of three letters, in any case, and what may stand before it. Returns its index, or -1. */
static int
read_name(struct scan *t, const char *names)
{
	int i;

	if (!skip(t) || t->end - t->pos < 3)
		return -1;
	for (i = 0; names[3 * i]; i++)
		if (strncasecmp(t->s + t->pos, names + 3 * i, 3) == 0) {
			t->pos += 3;
			return i;
		}
	return -1;
}

static int
days(int month, int year)
{
	static const char more[] = { 3, 0, 3, 2, 3, 2, 3, 3, 2, 3, 2, 3 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return 28 + more[month] + (month == 1 && leap);
}

static bool
read_date(struct scan *t)
{
	size_t digits;
	int day, month, year;

	if (!skip(t) || (is_letter(t) && (read_name(t, "MonTueWedThuFriSatSun") < 0 || !read_mark(t, ','))))
		return false;
	day = read_number(t, 1, 2, NULL);
	month = read_name(t, "JanFebMarAprMayJunJulAugSepOctNovDec");
	year = read_number(t, 2, YEAR_DIGITS_MAX, &digits);
	if (day < 1 || month < 0 || year < 0)
		return false;
	if (digits < 4) /* RFC 5322 4.3 */
		year += digits == 2 && year < 50 ? 2000 : 1900;
	return year >= 1900 && day <= days(month, year);
}

static bool
read_time(struct scan *t)
{
	int hour = read_number(t, 2, 2, NULL), minute = read_mark(t, ':') ? read_number(t, 2, 2, NULL) : -1, second = 0;
	size_t end = t->pos;

	if (read_mark(t, ':'))
		second = read_number(t, 2, 2, NULL);
	else
		t->pos = end;
	return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
}

static bool
read_zone(struct scan *t)
{
	size_t end = t->pos, n;
	int zone;

	if (!skip(t) || t->pos == t->end)
		return false;
	if (t->s[t->pos] == '+' || t->s[t->pos] == '-') {
		t->pos++;
		if (t->pos == end + 1 || !is_digit(t))
			return false;
		zone = read_number(t, 4, 4, NULL);
		return zone >= 0 && zone % 100 < 60;
	}
	for (n = 0; n < ZONE_LETTERS_MAX && is_letter(t); n++)
		t->pos++;
	return n > 0 && !is_letter(t);
}

bool
datetime_is_valid(const char *text, size_t begin, size_t end)
{
	struct scan t = { .s = text, .pos = begin, .end = end };

	return read_date(&t) && read_time(&t) && read_zone(&t) && skip(&t) && t.pos == t.end;
}
