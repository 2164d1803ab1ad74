/* ISC licence, see LICENSE. */
#include "net/proxyhdr.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { V2_HEAD = 16, V2_IN4 = 12, V2_IN6 = 36 };

/* family AF_INET: 4 octets at p, else 16. */
static void
set_addr(unsigned char addr[16], int family, const void *p)
{
	if (family == AF_INET) {
		memcpy(addr, mapped, sizeof mapped);
		memcpy(addr + sizeof mapped, p, 4);
	} else
		memcpy(addr, p, 16);
}

static int
parse_ip(unsigned char addr[16], int family, const char *text)
{
	unsigned char raw[16];

	if (inet_pton(family, text, raw) != 1)
		return -1;
	set_addr(addr, family, raw);
	return 0;
}

static int
parse_port(uint16_t *port, const char *text)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9' || (text[0] == '0' && text[1]))
		return -1;
	n = strtoul(text, &end, 10);
	if (*end || n > 65535)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 4711 587" CRLF: single spaces, nothing else. */
static enum proxyhdr_result
parse_v1(const char *p, size_t n, size_t *used, struct endpoint *client, struct endpoint *local)
{
	size_t most = n < PROXYHDR_V1_MAX ? n : PROXYHDR_V1_MAX;
	const char *lf = memchr(p, '\n', most);
	char line[PROXYHDR_V1_MAX + 1], *word[6], *s = line;
	int words = 0, family;

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
	family = strcmp(word[1], "TCP4") == 0 ? AF_INET : strcmp(word[1], "TCP6") == 0 ? AF_INET6 : -1;
	if (family < 0 || parse_ip(client->addr, family, word[2]) < 0 || parse_ip(local->addr, family, word[3]) < 0 ||
	    parse_port(&client->port, word[4]) < 0 || parse_port(&local->port, word[5]) < 0)
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
	if ((p[12] & 15) == 0) /* LOCAL: the proxy itself, to see whether we are there */
		return PROXYHDR_UNKNOWN;
	family = p[13] >> 4 == 1 ? AF_INET : p[13] >> 4 == 2 ? AF_INET6 : -1;
	if (family < 0)
		return PROXYHDR_UNKNOWN;
	if ((p[13] & 15) != 1 || len < (family == AF_INET ? (size_t)V2_IN4 : (size_t)V2_IN6))
		return PROXYHDR_BAD;
	one = family == AF_INET ? 4 : 16;
	p += V2_HEAD;
	set_addr(client->addr, family, p);
	set_addr(local->addr, family, p + one);
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

int
proxyhdr_trust_add(struct proxyhdr_trust *t, const char *list)
{
	char text[INET6_ADDRSTRLEN + 8], *slash, *end;
	size_t n;

	for (;; list += n + 1) {
		unsigned long bits = 128;
		int family, most;

		n = strcspn(list, ",");
		if (n >= sizeof text || t->n == PROXYHDR_TRUST_MAX)
			return -1;
		memcpy(text, list, n);
		text[n] = '\0';
		slash = strchr(text, '/');
		if (slash)
			*slash++ = '\0';
		family = strchr(text, ':') ? AF_INET6 : AF_INET;
		most = family == AF_INET ? 32 : 128;
		if (parse_ip(t->net[t->n].addr, family, text) < 0)
			return -1;
		if (slash) {
			bits = strtoul(slash, &end, 10);
			if (*slash < '0' || *slash > '9' || *end || bits > (unsigned long)most)
				return -1;
			bits += 128 - (unsigned long)most;
		}
		t->net[t->n++].bits = (unsigned)bits;
		if (!list[n])
			return 0;
	}
}

bool
proxyhdr_trusted(const struct proxyhdr_trust *t, const struct endpoint *e)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		unsigned whole = t->net[i].bits / 8, rest = t->net[i].bits % 8;
		unsigned mask = 0xffu << (8 - rest) & 0xff;

		if (memcmp(t->net[i].addr, e->addr, whole) == 0 &&
		    (rest == 0 || ((t->net[i].addr[whole] ^ e->addr[whole]) & mask) == 0))
			return true;
	}
	return false;
}
