/* ISC licence, see LICENSE. */
#ifndef MSA_INLINE_STAGES_H
#define MSA_INLINE_STAGES_H

#include "msa/stage.h"

/*
 * The stages that can share a process: submitd and stages of the message chain, cmd/NAME/NAME.c. A stage that holds a
 * secret is not among them (an injector's credentials are a descriptor that it hands to saslc).
 */
extern const struct stage bounce_stage, copy_stage, encode_stage, limit_stage, lmtp_inject_stage, maildir_inject_stage;
extern const struct stage milter_stage, policy_stage, qualify_stage, rewrite_stage, rights_stage, smtp_inject_stage;
extern const struct stage spool_stage, stamp_stage, submitd_stage, trace_stage;

#endif
