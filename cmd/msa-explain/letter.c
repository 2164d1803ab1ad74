/* ISC licence, see LICENSE. */
#include "letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "deliver/delivery.h"
#include "mail/draft.h"
#include "msa/msgfile.h"

/* Make a message as a mail program sends it. Returns the descriptor, or -1 with errno set. */
static int
make_message(const struct letter *l)
{
	const char *from = *l->sender ? l->sender : l->user && strchr(l->user, '@') ? l->user : l->rcpt[0];
	const char *at = strrchr(from, '@');
	char date[CLOCK_DATE_MAX], unique[ID_MAX];
	struct buf b = { 0 };
	size_t i;
	int r, fd = -1;

	clock_date(date, sizeof date, time(NULL));
	id_make(unique);
	r = buf_printf(&b, "Date: %s\r\nFrom: <%s>\r\nTo: ", date, from);
	for (i = 0; r == 0 && i < l->n; i++)
		r = buf_printf(&b, "%s<%s>", i > 0 ? ",\r\n " : "", l->rcpt[i]);
	if (r == 0)
		r = buf_printf(&b, "\r\nMessage-ID: <%s@%s>\r\nSubject: What happens to this message?\r\nMIME-Version: 1.0\r\n"
		                   "Content-Type: text/plain; charset=us-ascii\r\n\r\nIt is explained, and not sent.\r\n",
		    unique, at ? at + 1 : "localhost");
	if (r == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

/* Read the file. Returns the descriptor, or -1 with errno set. */
static int
read_message(const struct letter *l, bool *is_8bit)
{
	struct draft draft = { .max = 0 };
	int in = open(l->file, O_RDONLY | O_CLOEXEC), fd, e;

	if (in < 0)
		return -1;
	fd = draft_read(&draft, in);
	e = errno;
	close(in);
	errno = e;
	*is_8bit = draft.is_8bit;
	return fd;
}

int
letter_open(const struct letter *l, int *message, int *envelope, const char **bad)
{
	struct buf text = { 0 };
	bool is_8bit = false;
	int e;

	*bad = l->file ? l->file : "the message";
	*message = l->file ? read_message(l, &is_8bit) : make_message(l);
	if (*message < 0)
		return -1;
	errno = ENOMEM;
	*envelope = -1;
	if (delivery_envelope(&text, l->sender, is_8bit ? " BODY=8BITMIME" : "", l->rcpt, l->n, "", bad) < 0)
		errno = *bad ? EINVAL : ENOMEM;
	else
		*envelope = msgfile_of(text.p, text.len);
	e = errno;
	if (!*bad)
		*bad = "the envelope";
	buf_free(&text);
	if (*envelope < 0)
		close(*message);
	errno = e;
	return *envelope < 0 ? -1 : 0;
}
