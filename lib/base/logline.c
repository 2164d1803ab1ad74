/* ISC licence, see LICENSE. */
#include "base/logline.h"

#include <string.h>

enum { ID = 14, ID_SECONDS = 7 }; /* digits of an id, and of the time in it: base/id.c */

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_graphic(char c)
{
	return c > ' ' && c <= '~';
}

/* The length of a name at s: letters, digits, "-" and "_", and a letter first; upper case only with capitals. */
static size_t
name_length(const char *s, const char *end, bool capitals)
{
	const char *p = s;

	if (p == end || !(is_lower(*p) || (capitals && *p >= 'A' && *p <= 'Z')))
		return 0;
	while (p < end && (is_lower(*p) || is_digit(*p) || *p == '-' || *p == '_' || (capitals && *p >= 'A' && *p <= 'Z')))
		p++;
	return (size_t)(p - s);
}

int64_t
logline_id_time(const struct logline_text *id)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* base/id.c */
	int64_t t = 0;
	size_t i;

	if (id->n != ID)
		return -1;
	for (i = 0; i < ID; i++) {
		const char *p = memchr(digits, id->p[i], sizeof digits - 1);

		if (!p)
			return -1;
		if (i < ID_SECONDS)
			t = t * 32 + (p - digits);
	}
	return t;
}

/* Take an id: graphic ASCII up to one of the octets of stop. Returns its end, or NULL. */
static const char *
take_id(struct logline_text *id, const char *s, const char *end, bool session)
{
	const char *p = s;

	while (p < end && is_graphic(*p) && !(session && *p == '/'))
		p++;
	*id = (struct logline_text){ s, (size_t)(p - s) };
	return p == s || id->n > LOGLINE_ID ? NULL : p;
}

/* Take " key=value" at s. Returns its end, or NULL; at the end of a line that was cut, *whole is false. */
static const char *
take_field(struct logline_field *f, const char *s, const char *end, bool *whole)
{
	const char *p = s + 1;
	size_t n = name_length(p, end, true);

	*whole = true;
	f->key = (struct logline_text){ p, n };
	f->value = (struct logline_text){ p, 0 };
	if (*s != ' ')
		return NULL;
	p += n;
	if (p == end) { /* within the key, or before it */
		*whole = false;
		return end;
	}
	if (n == 0 || *p++ != '=')
		return NULL;
	f->quoted = p < end && *p == '"';
	if (f->quoted) {
		const char *begin = ++p;

		while (p < end && (is_graphic(*p) || *p == ' ') && *p != '"')
			p++;
		f->value = (struct logline_text){ begin, (size_t)(p - begin) };
		if (p == end) {
			*whole = false;
			return end;
		}
		return *p == '"' ? p + 1 : NULL;
	}
	f->value.p = p;
	while (p < end && is_graphic(*p) && *p != '"' && *p != '\\')
		p++;
	f->value.n = (size_t)(p - f->value.p);
	*whole = f->value.n > 0;
	return !*whole && p < end ? NULL : p; /* "key=" stands only where a line was cut */
}

/* The younger of the two ids. */
static int64_t
id_us(const struct logline *l)
{
	int64_t session = logline_id_time(&l->session), message = l->message.n ? logline_id_time(&l->message) : -1;

	if (message > session)
		session = message;
	return session < 0 ? -1 : session * 1000000;
}

bool
logline_parse_rest(struct logline *l, struct logline_text stage, const char *s, size_t n)
{
	const char *p, *end = s + n;
	bool full = stage.n + 2 + n >= LOGLINE_TEXT - 1, whole = true;

	l->stage = stage;
	l->rest = (struct logline_text){ s, n };
	l->message = (struct logline_text){ s, 0 };
	l->n = 0;
	l->cut = false;
	if (stage.n == 0 || stage.n > LOGLINE_STAGE || name_length(stage.p, stage.p + stage.n, false) != stage.n ||
	    stage.n + 2 + n > LOGLINE_TEXT)
		return false;
	p = take_id(&l->session, s, end, true);
	if (p && p < end && *p == '/')
		p = take_id(&l->message, p + 1, end, false);
	if (!p || p == end || *p != ' ')
		return false;
	l->event = (struct logline_text){ p + 1, name_length(p + 1, end, false) };
	p = l->event.p + l->event.n;
	if (l->event.n == 0)
		return false;
	while (p < end) {
		if (l->n == LOGLINE_FIELDS)
			return false;
		p = take_field(&l->field[l->n], p, end, &whole);
		if (!p || (!whole && !full))
			return false;
		l->n += whole || l->field[l->n].value.n > 0;
	}
	l->cut = full;
	l->us = id_us(l);
	l->guessed = true;
	return true;
}

bool
logline_parse(struct logline *l, const char *s, size_t n)
{
	size_t k = name_length(s, s + n, false);

	if (n < k + 2 || s[k] != ':' || s[k + 1] != ' ')
		return false;
	return logline_parse_rest(l, (struct logline_text){ s, k }, s + k + 2, n - k - 2);
}

bool
logline_is(const struct logline_text *t, const char *s)
{
	return strncmp(t->p, s, t->n) == 0 && s[t->n] == '\0';
}

const struct logline_text *
logline_get(const struct logline *l, const char *key)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (logline_is(&l->field[i].key, key))
			return &l->field[i].value;
	return NULL;
}

int64_t
logline_number(const struct logline *l, const char *key)
{
	const struct logline_text *t = logline_get(l, key);
	int64_t number = 0;
	size_t i;

	if (!t || t->n == 0 || t->n > 15)
		return -1;
	for (i = 0; i < t->n; i++) {
		if (!is_digit(t->p[i]))
			return -1;
		number = number * 10 + (t->p[i] - '0');
	}
	return number;
}
