/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_CONF_H
#define MSA_SUBMIT_CONF_H

#include <stdbool.h>

#include "smtp/fqdn.h"
#include "stage/next.h"

/* What submitd's options set for every session and its transactions. */
struct session_conf {
	const char *locked; /* the directory of users who were stopped, lockout.h; borrowed; NULL: none */
	const struct next *check; /* the message chain that is asked about each recipient at RCPT; NULL: none */
	int command_wait_s; /* seconds for the client's next command, and for the client to take our replies */
	int answer_s;       /* seconds from the end of the data to the answer */
	int session_s;      /* seconds for the whole session */
	int errors_max;     /* refused commands that a session may have */
	int line_max;       /* octets of a line of text with its CRLF; 0: no limit */
	bool mend;          /* a bare LF in DATA becomes CRLF */
	struct fqdn *domains; /* borrowed */
};

#endif
