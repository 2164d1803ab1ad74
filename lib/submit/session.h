/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_SESSION_H
#define MSA_SUBMIT_SESSION_H

#include "smtp/fqdn.h"
#include "stage/run.h"

/*
 * The submission dialogue (RFC 6409 on RFC 5321, or RFC 2033 where MSA_LMTP is set) from EHLO to QUIT: what submitd
 * does. It takes each message in whole, has the message chain deliver it, and answers with the chain's verdict.
 */
struct session_conf {
	const struct next *check; /* asked about each recipient at RCPT: a message chain of its own; NULL: nobody is */
	int command_wait_s; /* for the client's next command */
	int answer_s;       /* from the end of the data to the answer */
	int session_s;      /* in all */
	int errors_max;     /* refused commands until the session is ended */
	int line_max;       /* octets of a line of text with its CRLF; 0: no limit */
	bool mend;          /* a bare LF in DATA becomes CRLF */
	struct fqdn *domains; /* which are fully qualified */
};

/* Serve one session. conf: struct session_conf. The result is a chain_exit code. */
int session_serve(struct call *call, void *conf);

#endif
