/* ISC licence, see LICENSE. */
#ifndef STAGES_H
#define STAGES_H

#include "ready.h"

/*
 * The stages that can share a process, cmd/inline/inline.c: submitd, and message stages that hold no secret and run
 * no child of their own accord.
 */
ready_fn bounce_ready;
ready_fn lmtp_inject_ready;
ready_fn maildir_inject_ready;
ready_fn qualify_ready;
ready_fn smtp_inject_ready;
ready_fn spool_ready;
ready_fn stamp_ready;
ready_fn submitd_ready;
ready_fn trace_ready;

#endif
