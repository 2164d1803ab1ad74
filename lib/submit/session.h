/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_SESSION_H
#define MSA_SUBMIT_SESSION_H

#include "stage/call.h"
#include "submit/conf.h"

/*
 * The submission dialogue of submitd from EHLO to QUIT: RFC 6409 on RFC 5321, or RFC 2033 if MSA_LMTP is set. It
 * receives each message as a whole, starts the message chain to deliver it, and answers with the chain's verdict.
 */

/* Serve one session. conf is a struct session_conf. Returns an enum chain_exit. */
int session_serve(struct call *call, void *conf);

#endif
