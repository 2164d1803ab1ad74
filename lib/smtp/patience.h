/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_PATIENCE_H
#define MSA_SMTP_PATIENCE_H

#include <stdbool.h>

#include "smtp/reply.h"

/*
 * How long a session puts up with a client that gets nowhere. The owner sets the limits, and calls patience_renew at
 * the end of each message. Zero-initialised otherwise.
 */
struct patience {
	int errors_max;   /* commands that may be answered with 5yz */
	int idle_max;     /* commands that lead to no message: NOOP ... */
	int commands_max; /* commands of any kind; 0: no limit */
	int errors, idle, commands;
};

/*
 * Count a command that was answered with code; idle: it leads to no message. Returns REPLY_OK while
 * the session goes on. The first command over a limit returns the 421 that ends the session, REPLY_TOO_MANY_ERRORS or
 * REPLY_TOO_MANY_COMMANDS; send it after the command's own reply.
 */
enum reply patience_count(struct patience *p, int code, bool idle);

/* A message has ended: count idle and other commands from 0 again. */
void patience_renew(struct patience *p);

#endif
