/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_OFFER_H
#define MSA_CHAIN_OFFER_H

#include <stddef.h>

#include "base/log.h"
#include "chain/facts.h"
#include "smtp/ehlo.h"

/*
 * What the chain offers: the keywords that need no next hop, DATABYTES for SIZE, MSA_MAILMAX for LIMITS, MSA_SOLICIT
 * for NO-SOLICITING, and MSA_EHLO (EHLO lines, LF or comma between them) for those that need a next hop. Without any
 * of them: PIPELINING, ENHANCEDSTATUSCODES, SIZE, PRDR (not for LMTP, which has what it adds), LIMITS, 8BITMIME,
 * CHUNKING. An MSA_EHLO that begins with "=" is the whole list. NULL; or the name of a variable that does not say what
 * it must: a limit that cannot be read is not the same as none, so nothing can be served.
 */
const char *offer_from_facts(struct ehlo *e, const struct facts *f);

/* The same; a variable that cannot be used is logged as misuse. Returns 0, or -1: nothing can be served. */
int offer_or_log(struct ehlo *e, const struct facts *f, const struct log *log);

/* Our name in greeting, EHLO reply and Received: MSA_HOST, else the system's. Borrowed from f, or copied to buf. */
const char *offer_host(const struct facts *f, char *buf, size_t cap);

#endif
