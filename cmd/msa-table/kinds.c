/* ISC licence, see LICENSE. */
#include "kinds.h"

#include <string.h>

#include "../copy/copies.h"
#include "../dkim-sign/record.h"
#include "../limit/counts.h"
#include "../qualify/complete.h"
#include "../rewrite/mapping.h"
#include "../route/routes.h"
#include "auth/certmap.h"
#include "auth/recipients.h"
#include "auth/senders.h"
#include "smtp/fqdn.h"
#include "tlsd/tcprules.h"

#define NO_VALUE "only the keys of this table count"

static const char allow[] = "allow", deny[] = "deny", no_rule[] = "not deny, or allow and variables NAME=value";

/* For a table in which only the keys count. */
static const char *
any_value(const char *value, size_t n, size_t *len)
{
	*len = n;
	return n > 0 ? value : NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Append a variable, NAME=value or NAME="a value", as the table has it. Returns the octets used of s, or 0: invalid. */
static size_t
add_variable(struct buf *b, const char *s, size_t n)
{
	const char *equals = memchr(s, '=', n), *value = equals ? equals + 1 : NULL, *end = value;

	if (!equals || equals == s)
		return 0;
	if (value < s + n && *value == '"') {
		value++;
		end = memchr(value, '"', (size_t)(s + n - value));
		if (!end || (end + 1 < s + n && !is_blank(end[1])))
			return 0;
	} else
		while (end < s + n && !is_blank(*end))
			end++;
	if (memchr(value, '\0', (size_t)(end - value)) || buf_add(b, "+", 1) < 0 ||
	    buf_add(b, s, (size_t)(equals + 1 - s)) < 0 || buf_add(b, value, (size_t)(end - value)) < 0 ||
	    buf_add(b, "", 1) < 0)
		return 0;
	return (size_t)(end - s) + (equals + 1 < value); /* with the quote that ends it */
}

static int
encode_rule(struct buf *b, const char *text, size_t n, const char **why)
{
	size_t used = strlen(allow);

	*why = no_rule;
	if (n == strlen(deny) && memcmp(text, deny, n) == 0)
		return buf_puts(b, "D");
	if (n < used || memcmp(text, allow, used) != 0 || (n > used && !is_blank(text[used])))
		return -1;
	for (text += used, n -= used; n > 0; text += used, n -= used) {
		for (used = 0; used < n && is_blank(text[used]); used++)
			;
		if (used == 0 && (used = add_variable(b, text, n)) == 0)
			return -1;
	}
	return 0;
}

static int
decode_rule(struct buf *b, const char *value, size_t n, const char **why)
{
	if (n == 1 && *value == 'D')
		return buf_puts(b, deny);
	if (buf_puts(b, allow) < 0)
		return -1;
	while (n > 0) {
		const char *nul = memchr(value, '\0', n), *equals = nul ? strchr(value, '=') : NULL, *quote;
		bool quoted;

		*why = "not a rule";
		if (*value != '+' || !equals)
			return -1;
		quoted = equals[1] == '\0' || equals[1] == '"' || strpbrk(equals + 1, " \t");
		quote = quoted ? "\"" : "";
		*why = "a value with both a quote and a blank, which the text cannot have";
		if ((quoted && strchr(equals + 1, '"')) ||
		    buf_printf(b, " %.*s%s%s%s", (int)(equals - value), value + 1, quote, equals + 1, quote) < 0)
			return -1;
		n -= (size_t)(nul + 1 - value);
		value = nul + 1;
	}
	return 0;
}

static const struct kind kinds[] = {
	{ .name = "addresses", .reader = "rewrite -t", .form = { .bad = mapping_bad, .what = MAPPING_ITEM,
		.is_bad_key = mapping_is_bad_key, .bad_record = mapping_bad_record }, .domains = true },
	{ .name = "certs", .reader = "authd -c", .form = { .bad = certmap_bad, .what = CERTMAP_ITEM,
		.is_bad_key = certmap_is_bad_key, .any_case = true } },
	{ .name = "copies", .reader = "copy -t", .form = { .bad = copies_bad, .what = COPIES_ITEM,
		.is_bad_key = copies_is_bad_key } },
	{ .name = "keys", .reader = "dkim-sign -t", .form = { .bad = record_bad, .what = RECORD_ITEM,
		.is_bad_key = record_is_bad_key } },
	{ .name = "labels", .reader = "qualify -t", .form = { .bad = any_value, .what = NO_VALUE,
		.is_bad_key = fqdn_is_bad_label } },
	{ .name = "locals", .reader = "qualify -u", .form = { .bad = any_value, .what = NO_VALUE,
		.is_bad_key = complete_is_bad_local, .any_case = true } },
	{ .name = "rates", .reader = "limit -t", .form = { .bad = rates_bad, .what = RATES_ITEM, .labels = true } },
	{ .name = "recipients", .reader = "rights -t", .form = RECIPIENTS_FORM },
	{ .name = "routes", .reader = "route -t", .form = { .bad = routes_bad, .what = ROUTES_ITEM,
		.is_bad_key = routes_is_bad_key, .any_case = true } },
	{ .name = "rules", .reader = "tlsd -x", .form = { .bad = tcprules_bad, .what = TCPRULES_ITEM,
		.is_bad_key = tcprules_is_bad_key, .any_case = true },
		.encode = encode_rule, .decode = decode_rule, .all = "*" },
	{ .name = "senders", .reader = "rights -s, rewrite -s", .form = SENDERS_FORM },
};

enum { KINDS = sizeof kinds / sizeof *kinds };

const struct kind *
kind_find(const char *name)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

int
kind_names(struct buf *b)
{
	size_t i;
	int r = 0;

	for (i = 0; i < KINDS && r == 0; i++)
		r = buf_printf(b, "%s%s (%s)", i > 0 ? ", " : "", kinds[i].name, kinds[i].reader);
	return r;
}

int
kind_encode(const struct kind *k, struct record *r, struct buf *b, const char **why)
{
	buf_clear(b);
	if (k->all && r->key_len == strlen(k->all) && memcmp(r->key, k->all, r->key_len) == 0)
		r->key_len = 0;
	else if (r->key_len == 0) {
		*why = "an empty key";
		return -1;
	}
	if (!k->encode)
		return 0;
	*why = "out of memory";
	if (buf_puts(b, "") < 0 || k->encode(b, r->value, r->value_len, why) < 0)
		return -1;
	r->value = b->p;
	r->value_len = b->len;
	return 0;
}

int
kind_decode(const struct kind *k, struct record *r, struct buf *b, const char **why)
{
	buf_clear(b);
	if (r->key_len == 0 && !k->all) {
		*why = "an empty key";
		return -1;
	}
	if (r->key_len == 0) {
		r->key = k->all;
		r->key_len = strlen(k->all);
	}
	if (!k->decode)
		return 0;
	*why = "out of memory";
	if (buf_puts(b, "") < 0 || k->decode(b, r->value, r->value_len, why) < 0)
		return -1;
	r->value = b->p;
	r->value_len = b->len;
	return 0;
}
