/* ISC licence, see LICENSE. */
#include "data.h"

#include <string.h>

/* Put what was passed over since *run, up to end, into m. */
static int
put(struct message *m, const char **run, const char *end)
{
	int r = m && end > *run ? message_add(m, *run, (size_t)(end - *run)) : 0;

	*run = end;
	return r;
}

/* n octets more of a line. */
static void
count(struct data *d, size_t n)
{
	d->line += n;
	d->is_long |= d->line_max > 0 && d->line > d->line_max;
}

/* From p, in the middle of a line: the octet behind its LF, or end; the state there. *lone: that LF is a bare one. */
static const char *
line(struct data *d, const char *p, const char *end, bool *lone)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));
	const char *stop = lf ? lf : end, *cr = memchr(p, '\r', (size_t)(stop - p));

	d->bare |= memchr(p, '\0', (size_t)(stop - p)) != NULL;
	if (cr && cr + 1 < stop)
		d->bare = true;
	*lone = lf && (lf == p || lf[-1] != '\r');
	count(d, (size_t)(stop - p) + (lf != NULL) + *lone);
	if (!lf) {
		d->state = stop > p && stop[-1] == '\r' ? DATA_CR : DATA_LINE;
		return end;
	}
	d->state = *lone ? DATA_LINE : DATA_START;
	d->line = 0;
	return lf + 1;
}

/* Behind a CR that ended the last input, or that a dot precedes. */
static const char *
after_cr(struct data *d, const char *p)
{
	if (*p == '\n') {
		count(d, 1);
		d->line = 0;
		d->state = DATA_START;
		return p + 1;
	}
	d->bare = true;
	d->state = DATA_LINE;
	return p;
}

int
data_dots(struct data *d, const char *in, size_t n, size_t *used, struct message *m)
{
	const char *p = in, *end = in + n, *run = in;
	bool lone;

	while (p < end) {
		switch (d->state) {
		case DATA_START:
			if (*p != '.') {
				d->state = DATA_LINE;
				break;
			}
			if (put(m, &run, p) < 0) {
				*used = (size_t)(p - in); /* the dot is taken again */
				return -1;
			}
			run = ++p;
			d->state = DATA_DOT;
			break;
		case DATA_DOT:
			if (*p != '\r') {
				d->state = DATA_LINE;
				break;
			}
			p++;
			d->state = DATA_DOT_CR;
			break;
		case DATA_DOT_CR:
			if (*p == '\n') {
				*used = (size_t)(p + 1 - in);
				return 1;
			}
			/* "." CR and something else: the dot was a stuffed one, the CR is bare and stays */
			d->bare = true;
			d->state = DATA_LINE;
			if (run == p && m && message_add(m, "\r", 1) < 0) { /* it came with the last input */
				*used = (size_t)(p - in);
				return -1;
			}
			break;
		case DATA_CR:
			p = after_cr(d, p);
			break;
		case DATA_LINE:
			p = line(d, p, end, &lone);
			d->bare |= lone && !d->mend;
			if (lone && d->mend) {
				if (put(m, &run, p - 1) < 0 || (m && message_add(m, "\r\n", 2) < 0)) {
					*used = (size_t)(p - in);
					return -1;
				}
				run = p;
			}
			break;
		}
	}
	*used = n;
	if (d->state == DATA_DOT_CR && end > run) /* the CR of "." CR is not yet the message's */
		end--;
	return put(m, &run, end);
}

int
data_octets(struct data *d, const char *in, size_t n, bool text, bool last, struct message *m)
{
	const char *p = in, *end = in + n;
	bool lone;

	while (text && p < end) {
		if (d->state == DATA_CR)
			p = after_cr(d, p);
		else {
			p = line(d, p, end, &lone);
			d->bare |= lone;
		}
	}
	if (m && message_add(m, in, n) < 0)
		return -1;
	if (!text || !last)
		return 0;
	d->bare |= d->state == DATA_CR;
	if (d->state != DATA_LINE)
		return 0;
	count(d, 2);
	return m ? message_add(m, "\r\n", 2) : 0;
}
