/* ISC licence, see LICENSE. */
#include "base/logwrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/number.h"

enum {
	LABEL = 25,       /* octets of a TAI64N label: "@" and 24 hexadecimal digits */
	TAI_PLAIN = 10,   /* the epoch was 10 seconds behind TAI, and a logger without leap seconds leaves it there */
	TAI_LEAP = 37,    /* since 2017; there may never be another leap second */
	TAI_SLACK = 30,   /* seconds within which an id is young */
	DAY_S = 86400,
};

/* A time as text: where it ends, and what it says. */
struct stamp {
	int64_t us;
	const char *end;
};

void
logwrap_open(struct logwrap *w, int64_t now)
{
	*w = (struct logwrap){ .now = now, .tai = TAI_PLAIN };
}

/* The number that the n digits at s are, or -1. */
static int
digits(const char *s, int n)
{
	int number = 0;

	for (; n > 0; s++, n--) {
		if (*s < '0' || *s > '9')
			return -1;
		number = number * 10 + (*s - '0');
	}
	return number;
}

/* Days from the epoch to a date of the Gregorian calendar. */
static int64_t
days(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3; /* the year begins in March */
	int64_t era = y / 400, of_era = y % 400, of_year = (153 * m + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The second at which a local minute begins, asked for once. key, of n octets, is the minute as the log has it. */
static int64_t
local_minute(struct logwrap *w, const char *key, size_t n, struct tm *tm)
{
	time_t t;

	if (strncmp(w->minute, key, n) == 0 && w->minute[n] == '\0')
		return w->minute_s;
	tm->tm_isdst = -1;
	t = mktime(tm);
	if (tm->tm_year < 0 || t == (time_t)-1)
		return -1;
	memcpy(w->minute, key, n);
	w->minute[n] = '\0';
	w->minute_s = t;
	return t;
}

/* Take ".123456" or ",123456" at *s, at most 9 digits. Returns microseconds. */
static int
take_fraction(const char **s, const char *end)
{
	int us = 0, unit = 100000, n;
	const char *p = *s;

	if (p == end || (*p != '.' && *p != ','))
		return 0;
	for (p++, n = 0; p < end && *p >= '0' && *p <= '9' && n < 9; p++, n++, unit /= 10)
		us += (*p - '0') * unit;
	*s = p;
	return us;
}

/* Take "Z", "+01:00" or "+0100" at *s into *seconds. Returns 1, 0 (there is no zone), or -1 (rubbish). */
static int
take_zone(const char **s, const char *end, int *seconds)
{
	const char *p = *s;
	int hour, minute, colon;

	if (p == end || (*p != 'Z' && *p != '+' && *p != '-'))
		return 0;
	*seconds = 0;
	*s = p + 1;
	if (*p == 'Z')
		return 1;
	colon = end - p >= 6 && p[3] == ':';
	if (end - p < 5 + colon)
		return -1;
	hour = digits(p + 1, 2);
	minute = digits(p + 3 + colon, 2);
	if (hour < 0 || hour > 15 || minute < 0 || minute > 59)
		return -1;
	*seconds = (hour * 60 + minute) * (*p == '-' ? -60 : 60);
	*s = p + 5 + colon;
	return 1;
}

/* Take "HH:MM:SS" at p. Returns the seconds after HH:MM, or -1. */
static int
take_clock(const char *p, struct tm *tm)
{
	int second = digits(p + 6, 2);

	tm->tm_hour = digits(p, 2);
	tm->tm_min = digits(p + 3, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || tm->tm_min < 0 || tm->tm_min > 59 || p[2] != ':' || p[5] != ':')
		return -1;
	return second <= 60 ? second : -1;
}

/* Take a TAI64N label. */
static bool
take_label(const struct logwrap *w, struct stamp *t, const char *s, const char *end)
{
	uint64_t half[2] = { 0, 0 };
	int i;

	if (end - s < LABEL)
		return false;
	for (i = 1; i < LABEL; i++) {
		int d = s[i] >= '0' && s[i] <= '9' ? s[i] - '0' : s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10 : -1;

		if (d < 0)
			return false;
		half[i > 16] = half[i > 16] << 4 | (uint64_t)d;
	}
	half[0] -= UINT64_C(1) << 62;
	if (half[0] > UINT64_C(1) << 40 || half[1] >= 1000000000)
		return false;
	t->us = ((int64_t)half[0] - w->tai) * 1000000 + (int64_t)half[1] / 1000;
	t->end = s + LABEL;
	return true;
}

/* Take "2026-11-30" and a clock, with what may follow: a fraction and a zone. */
static bool
take_iso(struct logwrap *w, struct stamp *t, const char *s, const char *end)
{
	struct tm tm = { 0 };
	int second, zone = 0, has_zone;
	int64_t minute;

	if (end - s < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ' && s[10] != '_'))
		return false;
	tm.tm_year = digits(s, 4) - 1900;
	tm.tm_mon = digits(s + 5, 2) - 1;
	tm.tm_mday = digits(s + 8, 2);
	second = take_clock(s + 11, &tm);
	if (second < 0 || tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31)
		return false;
	t->end = s + 19;
	t->us = second * INT64_C(1000000) + take_fraction(&t->end, end);
	has_zone = take_zone(&t->end, end, &zone);
	if (has_zone < 0)
		return false;
	if (has_zone || s[10] == '_')
		minute = days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * DAY_S + tm.tm_hour * 3600 + tm.tm_min * 60 - zone;
	else
		minute = local_minute(w, s, 16, &tm);
	t->us += minute * 1000000;
	return minute >= 0;
}

/* Take "Nov 30 02:33:21". The year is the last one in which this was not after tomorrow. */
static bool
take_bsd(struct logwrap *w, struct stamp *t, const char *s, const char *end)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = (time_t)w->now;
	struct tm tm = { 0 }, today;
	int second, year;
	int64_t minute;

	if (end - s < 16 || s[3] != ' ' || s[6] != ' ' || !localtime_r(&now, &today))
		return false;
	for (tm.tm_mon = 0; tm.tm_mon < 12 && memcmp(names + 3 * tm.tm_mon, s, 3) != 0; tm.tm_mon++)
		;
	tm.tm_mday = s[4] == ' ' ? digits(s + 5, 1) : digits(s + 4, 2);
	second = take_clock(s + 7, &tm);
	if (second < 0 || tm.tm_mon == 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
		return false;
	year = today.tm_year + 1;
	do {
		struct tm then = tm;

		then.tm_year = year--;
		minute = local_minute(w, s, 12, &then);
		if (minute > w->now + DAY_S)
			w->minute[0] = '\0'; /* not this year: it is asked for anew */
	} while (minute > w->now + DAY_S && year > 70);
	t->end = s + 15;
	t->us = minute * 1000000 + second * INT64_C(1000000) + take_fraction(&t->end, end);
	return minute >= 0;
}

/* Returns what follows the next word and one space, or NULL. */
static const char *
after_word(const char *s, const char *end)
{
	const char *space = s < end ? memchr(s, ' ', (size_t)(end - s)) : NULL;

	return space && space > s ? space + 1 : NULL;
}

/* Parse "host name[12]: ..." of syslog. */
static bool
parse_syslog(struct logline *l, const char *s, const char *end)
{
	const char *name = after_word(s, end), *rest, *p;
	size_t n;

	rest = name ? after_word(name, end) : NULL;
	if (!rest || rest[-2] != ':')
		return false;
	if (logline_parse(l, rest, (size_t)(end - rest)))
		return true;
	for (p = name; (*p >= 'a' && *p <= 'z') || (p > name && (*p == '-' || (*p >= '0' && *p <= '9'))); p++)
		;
	n = (size_t)(p - name);
	if (*p == '[') {
		for (p++; *p >= '0' && *p <= '9'; p++)
			;
		if (*p++ != ']')
			return false;
	}
	return p == rest - 2 &&
	    logline_parse_rest(l, (struct logline_text){ name, n }, rest, (size_t)(end - rest));
}

bool
logwrap_parse(struct logwrap *w, struct logline *l, const char *s, size_t n)
{
	const char *end = s + n, *p;
	struct stamp t;

	if (n == 0)
		return false;
	if (*s >= 'a' && *s <= 'z')
		return logline_parse(l, s, n);
	if (*s == '@' ? !take_label(w, &t, s, end) : *s >= '0' && *s <= '9' ? !take_iso(w, &t, s, end) :
	    !take_bsd(w, &t, s, end))
		return false;
	p = t.end;
	if (p == end || *p++ != ' ')
		return false;
	if (p < end && *p == ' ') /* s6-log T */
		p++;
	if (!logline_parse(l, p, (size_t)(end - p)) && (*s == '@' || !parse_syslog(l, p, end)))
		return false;
	l->us = t.us;
	l->guessed = false;
	return true;
}

void
logwrap_learn(struct logwrap *w, const char *text, size_t n)
{
	const char *end = text + n, *lf;
	int64_t id, least = INT64_MAX;
	struct logline l;

	w->tai = TAI_PLAIN;
	for (; text < end && *text == '@' && (lf = memchr(text, '\n', (size_t)(end - text))); text = lf + 1) {
		if (!logwrap_parse(w, &l, text, (size_t)(lf - text)))
			continue;
		id = logline_id_time(l.message.n ? &l.message : &l.session);
		if (id >= 0 && l.us / 1000000 - id < least)
			least = l.us / 1000000 - id;
	}
	if (least >= TAI_LEAP - TAI_PLAIN && least <= TAI_LEAP - TAI_PLAIN + TAI_SLACK)
		w->tai = TAI_LEAP;
}

/* Take "-90s" and the like. */
static int
take_ago(const char *s, int64_t now, int64_t *second)
{
	static const char names[] = "smhd";
	static const int seconds[] = { 1, 60, 3600, DAY_S };
	size_t n = strlen(s);
	const char *unit = n > 0 ? strchr(names, s[n - 1]) : NULL;
	char number[12];
	long long ago;

	if (!unit || n > sizeof number) {
		errno = EINVAL;
		return -1;
	}
	memcpy(number, s, n - 1);
	number[n - 1] = '\0';
	if (number_parse(number, 0, 100000000, &ago) < 0)
		return -1;
	*second = now - ago * seconds[unit - names];
	return 0;
}

int
logwrap_time(const char *s, int64_t now, int64_t *second)
{
	size_t n = strlen(s);
	time_t t = (time_t)now;
	struct tm tm;

	if (strcmp(s, "now") == 0) {
		*second = now;
		return 0;
	}
	if (*s == '-')
		return take_ago(s + 1, now, second);
	if (!localtime_r(&t, &tm))
		return -1;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	errno = EINVAL;
	if (strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0)
		tm.tm_mday -= *s == 'y';
	else if (n == 5 || n == 8) {
		char clock[] = "00:00:00";

		memcpy(clock, s, n);
		tm.tm_sec = take_clock(clock, &tm);
	} else if ((n == 10 || n == 16 || n == 19) && s[4] == '-' && s[7] == '-' && (n == 10 || strchr(" T", s[10]))) {
		char clock[] = "00:00:00";

		memcpy(clock, s + 10 + (n > 10), n - 10 - (n > 10));
		tm.tm_year = digits(s, 4) - 1900;
		tm.tm_mon = digits(s + 5, 2) - 1;
		tm.tm_mday = digits(s + 8, 2);
		tm.tm_sec = take_clock(clock, &tm);
		if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31)
			return -1;
	} else
		return -1;
	if (tm.tm_sec < 0)
		return -1;
	t = mktime(&tm);
	*second = t;
	return 0;
}
