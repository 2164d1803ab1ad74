/* ISC licence, see LICENSE. */
#include "mail/smtpdata.h"

#include <string.h>

/* Append the octets from *run to end to m, if there is an m, and set *run to end. */
static int
put(struct msgfile *m, const char **run, const char *end)
{
	int r = m && end > *run ? msgfile_add(m, *run, (size_t)(end - *run)) : 0;

	*run = end;
	return r;
}

/* Count n more octets of the current line. */
static void
count(struct smtpdata *d, size_t n)
{
	d->line += n;
	d->is_long |= d->line_max > 0 && d->line > d->line_max;
}

/*
 * Read on from p, inside a line, to the end of the line or of the input, and set the state there. *lone is set if the
 * LF of the line is bare. Returns the position after the LF, or end.
 */
static const char *
line(struct smtpdata *d, const char *p, const char *end, bool *lone)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));
	const char *stop = lf ? lf : end, *cr = memchr(p, '\r', (size_t)(stop - p));

	d->bare |= memchr(p, '\0', (size_t)(stop - p)) != NULL;
	if (cr && cr + 1 < stop)
		d->bare = true;
	*lone = lf && (lf == p || lf[-1] != '\r');
	count(d, (size_t)(stop - p) + (lf != NULL) + *lone);
	if (!lf) {
		d->state = stop > p && stop[-1] == '\r' ? SMTPDATA_CR : SMTPDATA_LINE;
		return end;
	}
	d->state = *lone ? SMTPDATA_LINE : SMTPDATA_START;
	d->line = 0;
	return lf + 1;
}

/* Handle the octet at p after a CR that was the last octet of the previous input. */
static const char *
after_cr(struct smtpdata *d, const char *p)
{
	if (*p == '\n') {
		count(d, 1);
		d->line = 0;
		d->state = SMTPDATA_START;
		return p + 1;
	}
	d->bare = true;
	d->state = SMTPDATA_LINE;
	return p;
}

int
smtpdata_dots(struct smtpdata *d, const char *in, size_t n, size_t *used, struct msgfile *m)
{
	const char *p = in, *end = in + n, *run = in;
	bool lone;

	while (p < end) {
		switch (d->state) {
		case SMTPDATA_START:
			if (*p != '.') {
				d->state = SMTPDATA_LINE;
				break;
			}
			if (put(m, &run, p) < 0) {
				*used = (size_t)(p - in); /* without the dot: the next call reads it again */
				return -1;
			}
			run = ++p;
			d->state = SMTPDATA_DOT;
			break;
		case SMTPDATA_DOT:
			if (*p != '\r') {
				d->state = SMTPDATA_LINE;
				break;
			}
			p++;
			d->state = SMTPDATA_DOT_CR;
			break;
		case SMTPDATA_DOT_CR:
			if (*p == '\n') {
				*used = (size_t)(p + 1 - in);
				return 1;
			}
			/* "." CR and another octet: the dot was stuffed; the CR is bare and belongs to the text */
			d->bare = true;
			d->state = SMTPDATA_LINE;
			if (run == p && m && msgfile_add(m, "\r", 1) < 0) { /* the CR was in the previous input */
				*used = (size_t)(p - in);
				return -1;
			}
			break;
		case SMTPDATA_CR:
			p = after_cr(d, p);
			break;
		case SMTPDATA_LINE:
			p = line(d, p, end, &lone);
			d->bare |= lone && !d->mend;
			if (lone && d->mend) {
				if (put(m, &run, p - 1) < 0 || (m && msgfile_add(m, "\r\n", 2) < 0)) {
					*used = (size_t)(p - in);
					return -1;
				}
				run = p;
			}
			break;
		}
	}
	*used = n;
	if (d->state == SMTPDATA_DOT_CR && end > run) /* the CR after "." may belong to the end of the message */
		end--;
	return put(m, &run, end);
}

int
smtpdata_octets(struct smtpdata *d, const char *in, size_t n, bool text, bool last, struct msgfile *m)
{
	const char *p = in, *end = in + n;
	bool lone;

	while (text && p < end) {
		if (d->state == SMTPDATA_CR)
			p = after_cr(d, p);
		else {
			p = line(d, p, end, &lone);
			d->bare |= lone;
		}
	}
	if (m && msgfile_add(m, in, n) < 0)
		return -1;
	if (!text || !last)
		return 0;
	d->bare |= d->state == SMTPDATA_CR;
	if (d->state != SMTPDATA_LINE)
		return 0;
	count(d, 2);
	return m ? msgfile_add(m, "\r\n", 2) : 0;
}
