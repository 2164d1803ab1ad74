/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_ENVELOPE_H
#define MSA_CHAIN_ENVELOPE_H

#include "msa/buf.h"
#include "msa/envelope.h"

/*
 * Read and check the envelope in fd, a regular file of at most CHAIN_ENVELOPE_MAX octets. e must be empty.
 * Returns 0, or -1 with errno set (EINVAL: not an envelope; ENOMEM; or as file_slurp) and *why set to a constant text,
 * the reason.
 */
int envelope_read(struct envelope *e, int fd, const char **why);

/* As envelope_read, from text, which e takes over. */
int envelope_parse(struct envelope *e, struct buf *text, const char **why);

void envelope_free(struct envelope *e);

#endif
