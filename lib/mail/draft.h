/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_DRAFT_H
#define MSA_MAIL_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A message as people and programs write it, in a file or through a pipe: its lines end with LF or CRLF, and its last
 * line may have no end. As a message file (msgfile.h) every line ends with CRLF.
 */
struct draft {
	off_t max;         /* set before: octets of the message file at most; 0: no limit */
	bool ends_at_dot;  /* set before: a line of a single dot ends the message, and what follows is not read */
	bool is_8bit;      /* an octet is over 127 */
	size_t bare;       /* the number, from 1, of the first line that has a NUL, or a CR without LF; 0: no line has */
};

/*
 * Read fd to its end. The members of d are set; bare octets are copied as they are.
 * Returns a descriptor as msgfile_finish, or -1 with errno set (EFBIG: over max; as msgfile_add; as read).
 */
int draft_read(struct draft *d, int fd);

#endif
