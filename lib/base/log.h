/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_LOG_H
#define MSA_BASE_LOG_H

#include <stdbool.h>

#include "msa/log.h"

/*
 * Log lines, chain-log(7): "stage: SESSION[/MESSAGE] event key=value ...", at most LOG_LINE_MAX octets.
 * They go to fd 2. They go to syslog instead if fd 2 is the peer (the same socket as fd 0, or any network socket) or
 * /dev/null: the first stage replaces a peer on fd 2 by /dev/null, so that no later stage or script writes to the peer.
 * A value with a space, a quote, a backslash or an octet other than graphic ASCII is written in quotes; each such octet
 * except the space becomes \xHH.
 */
enum {
	LOG_LINE_MAX = 1000,
	LOG_STRANGERS = 600, /* lines a minute that strangers cause, for all sessions of a resident stage together */
};

struct log_budget; /* counts those lines, in memory that the processes of a resident stage share */

struct log {
	const char *stage;
	const char *session; /* MSA_SESSION, or NULL; borrowed */
	const char *message; /* MSA_MESSAGE, or NULL; borrowed */
	bool syslog;         /* to syslog, not to fd 2 */
	bool no_addresses;   /* MSA_PRIVATE is set: leave out rcpt and from, and addresses in texts become "?" */
	struct log_budget *budget; /* borrowed; NULL: no limit */
	bool stranger;       /* each line is one of a stranger's: log_event and log_error ask log_permit first */
};

/* Initialise l for stage, a string constant, and decide by fd 2 where lines go. peer_fd is -1 if there is no peer. */
void log_open(struct log *l, const char *stage, int peer_fd);

/*
 * Returns a budget that this process and its children share as long as they live, or NULL with errno set. It is never
 * freed.
 */
struct log_budget *log_budget_new(void);

/*
 * Ask before a line that a client can cause at will. Returns true if the line may be written. Otherwise the line is
 * counted, and the first call of log_permit in a later minute, or log_budget_end, writes the count in one line.
 */
bool log_permit(const struct log *l);

/* Write the count of suppressed lines, if there are any: at the end of the service. */
void log_budget_end(const struct log *l);

#endif
