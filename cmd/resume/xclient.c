/* ISC licence, see LICENSE. */
#include "xclient.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "net/ipaddr.h"
#include "net/lineio.h"

/* In this order: if a line is too long, the last ones are left out. */
enum attribute { ADDR, LOGIN, PORT, PROTO, NAME, HELO, ATTRIBUTES };

static const char *const names[ATTRIBUTES] = { "ADDR", "LOGIN", "PORT", "PROTO", "NAME", "HELO" };
static const char *const facts_of[ATTRIBUTES] = {
	"TCPREMOTEIP", "SMTPAUTHUSER", "TCPREMOTEPORT", "MSA_VERB", "TCPREMOTEHOST", "MSA_HELO"
};

void
xclient_take(struct xclient *x, const char *text, size_t len)
{
	static const char keyword[] = "XCLIENT";
	size_t n = strlen(keyword), i;

	if (len < n || strncasecmp(text, keyword, n) != 0 || (len > n && text[n] != ' '))
		return;
	x->is_offered = true;
	while (n < len) {
		size_t from = n;

		while (n < len && text[n] != ' ')
			n++;
		for (i = 0; i < ATTRIBUTES; i++)
			if (strlen(names[i]) == n - from && strncasecmp(names[i], text + from, n - from) == 0)
				x->attributes |= 1u << i;
		n++;
	}
}

/* Returns the value of a fact; NULL if it is not set or empty. */
static const char *
fact(const struct facts *f, enum attribute a)
{
	const char *value = facts_get(f, facts_of[a]);

	return value && *value ? value : NULL;
}

static bool
must_be_told(const struct facts *f, enum attribute a)
{
	return a == ADDR || (a == LOGIN && fact(f, LOGIN));
}

const char *
xclient_lacks(const struct xclient *x, const struct facts *f)
{
	int a;

	for (a = 0; a < ATTRIBUTES; a++)
		if (must_be_told(f, (enum attribute)a) && !(x->attributes >> a & 1))
			return names[a];
	return NULL;
}

/* Append value as xtext (RFC 3461 4). Returns 0, or -1 with errno set (ENOMEM). */
static int
add_xtext(struct buf *out, const char *value)
{
	int r = 0;

	for (; *value && r == 0; value++)
		if (*value > ' ' && *value < 127 && *value != '+' && *value != '=')
			r = buf_add(out, value, 1);
		else
			r = buf_printf(out, "+%02X", (unsigned char)*value);
	return r;
}

/* Append the value of an attribute. Returns 0, or -1 with errno set (ENOMEM). */
static int
add_value(struct buf *out, const struct facts *f, enum attribute a)
{
	const char *value = fact(f, a);
	char ip[IPADDR_TEXT];
	struct ipaddr address;

	if (a == PROTO)
		value = value && strcmp(value, "HELO") == 0 ? "SMTP" : value && strcmp(value, "LHLO") == 0 ? "LMTP" : "ESMTP";
	if (a == ADDR) {
		if (!value || ipaddr_parse_zoned(&address, value) < 0)
			value = NULL;
		else {
			ipaddr_text(&address, ip);
			value = ip;
			if (!ipaddr_is_v4(&address) && buf_puts(out, "IPV6:") < 0)
				return -1;
		}
	}
	return value ? add_xtext(out, value) : buf_puts(out, "[UNAVAILABLE]");
}

int
xclient_command(struct buf *out, const struct xclient *x, const struct facts *f)
{
	size_t start = out->len;
	int a;

	if (buf_puts(out, "XCLIENT") < 0)
		return -1;
	for (a = 0; a < ATTRIBUTES; a++) {
		size_t before = out->len;

		if (!(x->attributes >> a & 1))
			continue;
		if (buf_printf(out, " %s=", names[a]) < 0 || add_value(out, f, (enum attribute)a) < 0)
			return -1;
		if (out->len - start + 2 <= LINE_COMMAND_MAX)
			continue;
		if (must_be_told(f, (enum attribute)a)) {
			errno = EMSGSIZE;
			return -1;
		}
		out->len = before;
	}
	return buf_puts(out, "\r\n");
}
