/* ISC licence, see LICENSE. */
#include "smtp/recording.h"

#include <string.h>

enum {
	SECONDS_DIGITS = 9,
	LEFT_DIGITS = 12,
};

const char recording_first[] = "# recording of a session, record(8)";

static const char *const names[] = { [RECORDING_CONTENT] = "content", [RECORDING_SECRET] = "secret" };

int
recording_add(struct buf *out, const struct recording_line *l, enum recording_what what, long long left)
{
	size_t i, was = out->len;
	int r;

	r = buf_printf(out, "%lld.%03lld %c%s ", l->ms / 1000, l->ms % 1000, l->by_client ? 'C' : 'S', l->is_whole ? "" : "-");
	for (i = 0; r == 0 && i < l->len; i++)
		if (l->text[i] == '\\')
			r = buf_puts(out, "\\\\");
		else if (l->text[i] < ' ' || l->text[i] > '~')
			r = buf_printf(out, "\\x%02x", (unsigned char)l->text[i]);
		else
			r = buf_add(out, l->text + i, 1);
	if (r == 0 && left > 0)
		r = buf_printf(out, "\\[%s %lld]", names[what], left);
	if (r == 0)
		r = buf_puts(out, "\n");
	if (r < 0)
		out->len = was;
	return r;
}

/* Parse 1 to most digits at *s. Returns 0, or -1. */
static int
number(const char **s, const char *end, int most, long long *n)
{
	int digits;

	*n = 0;
	for (digits = 0; *s < end && **s >= '0' && **s <= '9' && digits <= most; digits++)
		*n = *n * 10 + (*(*s)++ - '0');
	return digits > 0 && digits <= most ? 0 : -1;
}

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Parse what follows "\[". Returns 1, or -1. */
static int
take_left(const char **s, const char *end, struct recording_part *part)
{
	int what;

	for (what = RECORDING_CONTENT; what <= RECORDING_SECRET; what++) {
		size_t n = strlen(names[what]);

		if ((size_t)(end - *s) <= n || memcmp(*s, names[what], n) != 0 || (*s)[n] != ' ')
			continue;
		*s += n + 1;
		part->what = (enum recording_what)what;
		if (number(s, end, LEFT_DIGITS, &part->left) < 0 || *s == end || *(*s)++ != ']')
			return -1;
		return 1;
	}
	return -1;
}

int
recording_next(const char **s, const char *end, struct recording_part *part)
{
	if (*s == end)
		return 0;
	*part = (struct recording_part){ .what = RECORDING_OCTET, .octet = *(*s)++ };
	if (part->octet != '\\')
		return 1;
	if (*s == end)
		return -1;
	switch (*(*s)++) {
	case '\\':
		return 1;
	case 'x':
		if (end - *s < 2 || hex((*s)[0]) < 0 || hex((*s)[1]) < 0)
			return -1;
		part->octet = (char)(hex((*s)[0]) * 16 + hex((*s)[1]));
		*s += 2;
		return 1;
	case '[':
		return take_left(s, end, part);
	default:
		return -1;
	}
}

/* Parse "SECONDS SIDE ", and leave *s at the text. Returns 0, or -1. */
static int
take_front(struct recording_line *l, const char **s, const char *end)
{
	long long seconds, ms = 0;
	int digits;

	if (number(s, end, SECONDS_DIGITS, &seconds) < 0 || *s == end || *(*s)++ != '.')
		return -1;
	for (digits = 0; digits < 3 && *s < end && **s >= '0' && **s <= '9'; digits++)
		ms = ms * 10 + (*(*s)++ - '0');
	if (digits < 3 || end - *s < 2 || **s != ' ' || ((*s)[1] != 'C' && (*s)[1] != 'S'))
		return -1;
	l->ms = seconds * 1000 + ms;
	l->by_client = (*s)[1] == 'C';
	*s += 2;
	l->is_whole = *s == end || **s != '-';
	*s += !l->is_whole;
	if (*s < end && *(*s)++ != ' ') /* an editor may have removed the space before an empty text */
		return -1;
	return 0;
}

int
recording_parse(struct recording_line *l, const char *line, size_t len)
{
	const char *s = line, *end = line + len;
	struct recording_part part;
	int r;

	if (len == 0 || *line == '#')
		return 0;
	if (len > RECORDING_LINE_MAX || take_front(l, &s, end) < 0)
		return -1;
	l->text = s;
	l->len = (size_t)(end - s);
	while ((r = recording_next(&s, end, &part)) > 0)
		;
	return r < 0 ? -1 : 1;
}
