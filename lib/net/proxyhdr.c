/* ISC licence, see LICENSE. */
#include "net/proxyhdr.h"

#include <stdint.h>
#include <string.h>

#include "base/number.h"

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { V2_HEAD = 16, V2_IN4 = 12, V2_IN6 = 36 };

static int
parse_ip(struct ipaddr *a, bool is_v6, const char *text)
{
	return (strchr(text, ':') != NULL) == is_v6 ? ipaddr_parse(a, text) : -1;
}

/* The protocol allows no leading zeros. */
static int
parse_port(uint16_t *port, const char *text)
{
	long long n;

	if ((text[0] == '0' && text[1]) || number_parse(text, 0, 65535, &n) < 0)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 4711 587" and CRLF, with single spaces. */
static enum proxyhdr_result
parse_v1(const char *p, size_t n, size_t *used, struct endpoint *client, struct endpoint *local)
{
	size_t most = n < PROXYHDR_V1_MAX ? n : PROXYHDR_V1_MAX;
	const char *lf = memchr(p, '\n', most);
	char line[PROXYHDR_V1_MAX + 1], *word[6], *s = line;
	int words = 0;
	bool is_v6;

	if (!lf)
		return n < PROXYHDR_V1_MAX ? PROXYHDR_MORE : PROXYHDR_BAD;
	*used = (size_t)(lf - p) + 1;
	if (lf[-1] != '\r' || memchr(p, '\0', *used))
		return PROXYHDR_BAD;
	memcpy(line, p, *used - 2);
	line[*used - 2] = '\0';
	if (strncmp(line, "PROXY UNKNOWN", 13) == 0 && (line[13] == '\0' || line[13] == ' '))
		return PROXYHDR_UNKNOWN;
	for (;;) {
		word[words++] = s;
		s = strchr(s, ' ');
		if (!s || words == 6)
			break;
		*s++ = '\0';
	}
	if (words != 6 || s)
		return PROXYHDR_BAD;
	is_v6 = strcmp(word[1], "TCP6") == 0;
	if ((!is_v6 && strcmp(word[1], "TCP4") != 0) || parse_ip(&client->ip, is_v6, word[2]) < 0 ||
	    parse_ip(&local->ip, is_v6, word[3]) < 0 || parse_port(&client->port, word[4]) < 0 ||
	    parse_port(&local->port, word[5]) < 0)
		return PROXYHDR_BAD;
	return PROXYHDR_PEER;
}

static enum proxyhdr_result
parse_v2(const unsigned char *p, size_t n, size_t *used, struct endpoint *client, struct endpoint *local)
{
	size_t len, one;
	int family;

	if (n < V2_HEAD)
		return PROXYHDR_MORE;
	len = (size_t)p[14] << 8 | p[15];
	*used = V2_HEAD + len;
	if (p[12] >> 4 != 2 || (p[12] & 15) > 1 || *used > PROXYHDR_MAX)
		return PROXYHDR_BAD;
	if (n < *used)
		return PROXYHDR_MORE;
	if ((p[12] & 15) == 0) /* LOCAL: the proxy connects for itself, as a health check */
		return PROXYHDR_UNKNOWN;
	family = p[13] >> 4 == 1 ? AF_INET : p[13] >> 4 == 2 ? AF_INET6 : -1;
	if (family < 0)
		return PROXYHDR_UNKNOWN;
	if ((p[13] & 15) != 1 || len < (family == AF_INET ? (size_t)V2_IN4 : (size_t)V2_IN6))
		return PROXYHDR_BAD;
	one = family == AF_INET ? 4 : 16;
	p += V2_HEAD;
	client->ip = ipaddr_from_octets(family, p);
	local->ip = ipaddr_from_octets(family, p + one);
	client->port = (uint16_t)(p[2 * one] << 8 | p[2 * one + 1]);
	local->port = (uint16_t)(p[2 * one + 2] << 8 | p[2 * one + 3]);
	return PROXYHDR_PEER;
}

enum proxyhdr_result
proxyhdr_parse(const void *p, size_t n, size_t *used, struct endpoint *client, struct endpoint *local)
{
	static const char v1[6] = "PROXY ";

	*used = 0;
	if (memcmp(p, v1, n < sizeof v1 ? n : sizeof v1) == 0)
		return n < sizeof v1 ? PROXYHDR_MORE : parse_v1(p, n, used, client, local);
	if (memcmp(p, signature, n < sizeof signature ? n : sizeof signature) == 0)
		return n < sizeof signature ? PROXYHDR_MORE : parse_v2(p, n, used, client, local);
	return PROXYHDR_BAD;
}

/* Add "address[/bits]". */
static int
add_net(struct proxyhdr_trust *t, const char *item, size_t n)
{
	char text[IPADDR_TEXT + 4], *slash;
	struct proxyhdr_net *net = &t->net[t->n];
	long long bits = 128;

	if (n >= sizeof text || t->n == PROXYHDR_TRUST_MAX)
		return -1;
	memcpy(text, item, n);
	text[n] = '\0';
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (ipaddr_parse(&net->ip, text) < 0)
		return -1;
	if (slash) {
		int before = strchr(text, ':') ? 0 : IPADDR_V4_BITS; /* the prefix of the IPv4-mapped form */

		if (number_parse(slash, 0, 128 - before, &bits) < 0)
			return -1;
		bits += before;
	}
	net->bits = (unsigned)bits;
	t->n++;
	return 0;
}

int
proxyhdr_trust_add(struct proxyhdr_trust *t, const char *list)
{
	size_t n;

	for (;; list += n + 1) {
		n = strcspn(list, ",");
		if (add_net(t, list, n) < 0)
			return -1;
		if (!list[n])
			return 0;
	}
}

bool
proxyhdr_trusted(const struct proxyhdr_trust *t, const struct endpoint *e)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (ipaddr_is_in(&e->ip, &t->net[i].ip, t->net[i].bits))
			return true;
	return false;
}
