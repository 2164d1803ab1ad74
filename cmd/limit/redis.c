/* ISC licence, see LICENSE. */
#include "redis.h"

#include <string.h>

#include "base/number.h"

int
redis_command(struct buf *b, const char *const *argv, size_t argc)
{
	size_t i;
	int r = buf_printf(b, "*%zu\r\n", argc);

	for (i = 0; i < argc && r == 0; i++)
		r = buf_printf(b, "$%zu\r\n%s\r\n", strlen(argv[i]), argv[i]);
	return r;
}

/* Find the line at the start of p[0..n), without its type and its CRLF. Returns its octets in all; 0: not complete. */
static size_t
line(const char *p, size_t n, const char **text, size_t *len)
{
	const char *lf = memchr(p, '\n', n);

	if (!lf)
		return 0;
	*text = p + 1;
	*len = (size_t)(lf - p) < 2 || lf[-1] != '\r' ? 0 : (size_t)(lf - p) - 2;
	return (size_t)(lf - p) + 1;
}

/* Parse the number of a line. Returns 0, or -1: the number is missing, or less than least. */
static int
number(const char *text, size_t len, long long least, long long most, int64_t *value)
{
	char digits[24];
	long long v;

	if (len == 0 || len >= sizeof digits || memchr(text, '\0', len))
		return -1;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (number_parse(digits, least, most, &v) < 0)
		return -1;
	*value = v;
	return 0;
}

long
redis_reply(struct redis_reply *r, const char *p, size_t n)
{
	const char *text;
	size_t used = line(p, n, &text, &r->len), more, len;
	int64_t count;

	if (used == 0)
		return 0;
	r->text = text;
	r->n = 0;
	switch (*p) {
	case '+':
		r->kind = REDIS_STATUS;
		return (long)used;
	case '-':
		r->kind = REDIS_ERROR;
		return (long)used;
	case '*':
		r->kind = REDIS_LIST;
		break;
	default:
		return -1;
	}
	if (number(text, r->len, 0, REDIS_NUMBERS, &count) < 0)
		return -1;
	while (r->n < (size_t)count) {
		more = used < n ? line(p + used, n - used, &text, &len) : 0;
		if (more == 0)
			return 0;
		if (p[used] != ':' || number(text, len, 0, INT64_MAX, &r->number[r->n]) < 0)
			return -1;
		r->n++;
		used += more;
	}
	return (long)used;
}
