/* ISC licence, see LICENSE. */
#include "auth/oauth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SEPARATOR = '\1', PORT_DIGITS = 5 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char digits[] = "0123456789";

/* What is left of a message. */
struct rest {
	const char *p, *end;
};

static bool
take(struct rest *r, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* Returns the number of octets from p on, before end, that are among these characters. */
static size_t
span(const char *p, const char *end, const char *these, const char *those)
{
	size_t n = 0;

	while (p + n < end && p[n] && (strchr(these, p[n]) || strchr(those, p[n])))
		n++;
	return n;
}

/*
 * Take the header of GS2 (RFC 5801 4): no channel binding, and the user's name with =2C and =3D for a comma and an
 * equals sign. Returns 0, or -1: malformed.
 */
static int
take_header(struct oauth *o, struct rest *r)
{
	if (!take(r, "n,") && !take(r, "y,"))
		return -1;
	if (take(r, ",")) {
		o->user_len = 0;
		return 0;
	}
	if (!take(r, "a="))
		return -1;
	for (o->user_len = 0; r->p < r->end && *r->p != ','; o->user_len++) {
		if (o->user_len == OAUTH_USER_MAX || !*r->p || *r->p == SEPARATOR)
			return -1;
		if (take(r, "=2C"))
			o->user[o->user_len] = ',';
		else if (take(r, "=3D"))
			o->user[o->user_len] = '=';
		else if (*r->p == '=')
			return -1;
		else
			o->user[o->user_len] = *r->p++;
	}
	return o->user_len > 0 && take(r, ",") ? 0 : -1;
}

/* The value of auth is that of HTTP's field Authorization (RFC 6750 2.1). */
static enum oauth_result
take_auth(struct oauth *o, const char *value, const char *end)
{
	static const char bearer[] = "Bearer";
	const size_t n = sizeof bearer - 1;
	const char *token;

	if (value == end)
		return OAUTH_NO_TOKEN;
	if ((size_t)(end - value) <= n || strncasecmp(value, bearer, n) != 0 || value[n] != ' ')
		return OAUTH_MALFORMED;
	token = value + n + span(value + n, end, " ", "");
	o->token = token;
	token += span(token, end, letters, digits);
	while (token < end && strchr("-._~+/", *token)) {
		token++;
		token += span(token, end, letters, digits);
	}
	o->token_len = (size_t)(token + span(token, end, "=", "") - o->token);
	return token > o->token && o->token + o->token_len == end ? OAUTH_TOKEN : OAUTH_MALFORMED;
}

static bool
is_port(const char *value, const char *end)
{
	size_t n = span(value, end, digits, "");

	return n > 0 && n <= PORT_DIGITS && value + n == end;
}

/* Octets that a value may have: graphic ASCII, space, tab, CR and LF. */
static bool
is_value(const char *value, const char *end)
{
	for (; value < end; value++)
		if ((*value < ' ' && !strchr("\t\r\n", *value)) || *value > '~' || !*value)
			return false;
	return true;
}

static int
take_user(struct oauth *o, const char *value, const char *end)
{
	o->user_len = (size_t)(end - value);
	if (o->user_len == 0 || o->user_len > OAUTH_USER_MAX || memchr(value, '\0', o->user_len))
		return -1;
	memcpy(o->user, value, o->user_len);
	return 0;
}

/* Keys that may stand once. All others are ignored (RFC 7628 3.1). */
enum key { KEY_AUTH, KEY_HOST, KEY_PORT, KEY_USER, KEY_OTHER };

static enum key
find_key(const char *key, size_t len, enum oauth_form form)
{
	static const char *const name[] = { "auth", "host", "port", "user" };
	const int n = form == OAUTH_XOAUTH2 ? KEY_OTHER : KEY_USER;
	int i;

	for (i = 0; i < n; i++)
		if (strlen(name[i]) == len && memcmp(name[i], key, len) == 0)
			return (enum key)i;
	return KEY_OTHER;
}

/* Take "key=value" and the separator after it. *found: whether the auth that stood there has a token. */
static int
take_pair(struct oauth *o, struct rest *r, enum oauth_form form, unsigned *seen, enum oauth_result *found)
{
	size_t n = span(r->p, r->end, letters, "");
	const char *value = r->p + n + 1, *end = memchr(r->p, SEPARATOR, (size_t)(r->end - r->p));
	enum key key;

	if (n == 0 || !end || r->p[n] != '=')
		return -1;
	key = find_key(r->p, n, form);
	if (key != KEY_OTHER && *seen & 1u << key)
		return -1;
	*seen |= 1u << key;
	r->p = end + 1;
	if (key == KEY_USER)
		return take_user(o, value, end);
	if (key == KEY_AUTH)
		*found = take_auth(o, value, end);
	return is_value(value, end) && (key != KEY_PORT || is_port(value, end)) ? 0 : -1;
}

enum oauth_result
oauth_parse(struct oauth *o, enum oauth_form form, const char *message, size_t len)
{
	struct rest r = { message, message + len };
	enum oauth_result found = OAUTH_NO_TOKEN;
	unsigned seen = 0;

	o->user_len = 0;
	if (form == OAUTH_BEARER && (take_header(o, &r) < 0 || !take(&r, "\1")))
		return OAUTH_MALFORMED;
	while (r.p < r.end && *r.p != SEPARATOR)
		if (take_pair(o, &r, form, &seen, &found) < 0)
			return OAUTH_MALFORMED;
	if (!take(&r, "\1") || r.p != r.end || (form == OAUTH_XOAUTH2 && !(seen & 1u << KEY_USER)))
		return OAUTH_MALFORMED;
	o->user[o->user_len] = '\0';
	return found;
}

/* Graphic ASCII without what JSON or a scope (RFC 6749 3.3) would have to quote. */
static bool
is_plain(const char *s, const char *also)
{
	size_t n = strlen(s);

	if (n == 0 || n > OAUTH_VALUE_MAX)
		return false;
	for (; *s; s++)
		if ((*s <= ' ' || *s > '~' || *s == '"' || *s == '\\') && !strchr(also, *s))
			return false;
	return true;
}

bool
oauth_is_scope(const char *s)
{
	return is_plain(s, " ");
}

bool
oauth_is_url(const char *s)
{
	return is_plain(s, "") && strncmp(s, "https://", 8) == 0 && s[8];
}

size_t
oauth_error(char json[OAUTH_ERROR_MAX], enum oauth_form form, enum oauth_result r, const char *scope, const char *url)
{
	const bool x = form == OAUTH_XOAUTH2, malformed = r == OAUTH_MALFORMED;
	const char *status = x ? (malformed ? "400" : "401") : malformed ? "invalid_request" : "invalid_token";
	int n = snprintf(json, OAUTH_ERROR_MAX, "{\"status\":\"%s\"%s%s%s%s%s%s%s}", status,
	    x ? ",\"schemes\":\"bearer\"" : "", scope ? ",\"scope\":\"" : "", scope ? scope : "", scope ? "\"" : "",
	    url && !x ? ",\"openid-configuration\":\"" : "", url && !x ? url : "", url && !x ? "\"" : "");

	return (size_t)n;
}
