/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_TEXTSCAN_H
#define MSA_MAIL_TEXTSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

enum { TEXTSCAN_BLOCK = 65536 }; /* octets of the message handled at once */

/* What the text of a message is, as far as the transport cares. */
struct textscan {
	bool is_8bit;
	bool is_bare;   /* a CR or an LF that is not of a CRLF */
	bool is_dotted; /* a line begins with a dot */
	bool no_end;    /* the last line has no CRLF */
	bool is_here;   /* all of it is in the buffer, behind one octet that is not of it */
};

/* Look at the size octets of file fd, by way of b, a block of it at a time. 0, or -1 with errno. */
int textscan_look(struct textscan *t, struct buf *b, int fd, off_t size);

/*
 * Append n octets of text, a dot at the start of a line doubled (RFC 5321 4.5.2). *before: the octet before them, LF
 * at first; then the last of them. 0, or -1 with errno ENOMEM.
 */
int textscan_stuff(struct buf *out, const char *p, size_t n, char *before);

#endif
