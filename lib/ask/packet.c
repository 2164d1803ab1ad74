/* ISC licence, see LICENSE. */
#include "ask/packet.h"

#include <string.h>

enum { NUMBER = 4 };

static void
put(char *p, uint32_t n)
{
	int i;

	for (i = 0; i < NUMBER; i++)
		p[i] = (char)(n >> 8 * (NUMBER - 1 - i) & 0xff);
}

static uint32_t
get(const char *p)
{
	uint32_t n = 0;
	int i;

	for (i = 0; i < NUMBER; i++)
		n = n << 8 | (unsigned char)p[i];
	return n;
}

int
packet_begin(struct buf *out, enum packet_command command)
{
	char head[NUMBER + 1] = { 0 };

	head[NUMBER] = (char)command;
	return buf_add(out, head, sizeof head);
}

int
packet_number(struct buf *out, uint32_t n)
{
	char octets[NUMBER];

	put(octets, n);
	return buf_add(out, octets, sizeof octets);
}

int
packet_string(struct buf *out, const char *s, size_t n)
{
	return buf_add(out, s, strnlen(s, n)) < 0 ? -1 : buf_add(out, "", 1);
}

void
packet_end(struct buf *out, size_t start)
{
	put(out->p + start, (uint32_t)(out->len - start - NUMBER));
}

ssize_t
packet_find(struct packet *packet, const char *p, size_t n)
{
	uint32_t len;

	if (n < NUMBER)
		return 0;
	len = get(p);
	if (len == 0 || len > PACKET_MAX)
		return -1;
	if (n - NUMBER < len)
		return 0;
	*packet = (struct packet){ p[NUMBER], p + NUMBER + 1, len - 1 };
	return (ssize_t)(NUMBER + len);
}

int
packet_take_number(struct packet *p, uint32_t *n)
{
	if (p->len < NUMBER)
		return -1;
	*n = get(p->data);
	p->data += NUMBER;
	p->len -= NUMBER;
	return 0;
}

int
packet_take_string(struct packet *p, const char **s)
{
	const char *end = memchr(p->data, '\0', p->len);

	if (!end)
		return -1;
	*s = p->data;
	p->len -= (size_t)(end + 1 - p->data);
	p->data = end + 1;
	return 0;
}
