/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_STAGES_H
#define MSA_STAGE_STAGES_H

#include "stage/ready.h"

/*
 * The stages that can share a process, cmd/inline/inline.c: submitd and stages of the message chain. None that holds a
 * secret is among them (an injector's credentials are a descriptor that it hands to saslc).
 */
ready_fn bounce_ready;
ready_fn limit_ready;
ready_fn lmtp_inject_ready;
ready_fn maildir_inject_ready;
ready_fn qualify_ready;
ready_fn rights_ready;
ready_fn smtp_inject_ready;
ready_fn spool_ready;
ready_fn stamp_ready;
ready_fn submitd_ready;
ready_fn trace_ready;

#endif
