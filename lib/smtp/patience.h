/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_PATIENCE_H
#define MSA_SMTP_PATIENCE_H

#include <stdbool.h>

#include "smtp/reply.h"

/*
 * How long a session puts up with a client that gets nowhere. The owner sets the limits and, when a message was taken,
 * sets idle to 0. Zero-initialised otherwise.
 */
struct patience {
	int errors_max; /* commands that may be answered with 5yz */
	int idle_max;   /* commands that a client could send for ever */
	int errors, idle;
};

/*
 * Count a command that was answered with code; idle: a client could send this command for ever. Returns REPLY_OK while
 * the session goes on. The first command over a limit returns the 421 that ends the session, REPLY_TOO_MANY_ERRORS or
 * REPLY_TOO_MANY_COMMANDS; send it after the command's own reply.
 */
enum reply patience_count(struct patience *p, int code, bool idle);

#endif
