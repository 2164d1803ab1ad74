/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_TEXTSCAN_H
#define MSA_MAIL_TEXTSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"

enum { TEXTSCAN_BLOCK = 65536 }; /* octets of the message that are read at once */

/* The properties of a message that its transport depends on. */
struct textscan {
	bool is_8bit;
	bool is_bare;   /* has a CR or an LF that is not part of a CRLF */
	bool is_dotted; /* a line begins with a dot */
	bool no_end;    /* the last line has no CRLF */
	bool is_here;   /* the whole message is in the buffer, after one octet that is not part of it */
};

/*
 * Examine the size octets of the file fd, read block by block into b.
 * Returns 0, or -1 with errno set as buf_room or file_read.
 */
int textscan_look(struct textscan *t, struct buf *b, int fd, off_t size);

/*
 * Append n octets of text and double each dot at the start of a line (RFC 5321 4.5.2). *before is the octet before
 * them, LF at first; it becomes the last of them. Returns 0, or -1 with errno set (ENOMEM).
 */
int textscan_stuff(struct buf *out, const char *p, size_t n, char *before);

#endif
