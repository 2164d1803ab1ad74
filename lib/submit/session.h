/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_SESSION_H
#define MSA_SUBMIT_SESSION_H

#include "smtp/fqdn.h"
#include "stage/run.h"

/*
 * The submission dialogue of submitd from EHLO to QUIT: RFC 6409 on RFC 5321, or RFC 2033 if MSA_LMTP is set. It
 * receives each message as a whole, starts the message chain to deliver it, and answers with the chain's verdict.
 */
struct session_conf {
	const struct next *check; /* the message chain that is asked about each recipient at RCPT; NULL: none */
	int command_wait_s; /* seconds for the client's next command, and for the client to take our replies */
	int answer_s;       /* seconds from the end of the data to the answer */
	int session_s;      /* seconds for the whole session */
	int errors_max;     /* refused commands that a session may have */
	int line_max;       /* octets of a line of text with its CRLF; 0: no limit */
	bool mend;          /* a bare LF in DATA becomes CRLF */
	struct fqdn *domains; /* borrowed */
};

/* Serve one session. conf is a struct session_conf. Returns an enum chain_exit. */
int session_serve(struct call *call, void *conf);

#endif
