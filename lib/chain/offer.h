/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_OFFER_H
#define MSA_CHAIN_OFFER_H

#include <stddef.h>

#include "chain/facts.h"
#include "chain/offer.h"
#include "smtp/ehlo.h"

/*
 * What the chain offers: the keywords that need no next hop, DATABYTES for SIZE, MSA_MAILMAX for LIMITS, MSA_SOLICIT
 * for NO-SOLICITING, and MSA_EHLO (EHLO lines, LF or comma between them) for those that need a next hop. Without any
 * of them: PIPELINING, ENHANCEDSTATUSCODES, SIZE, PRDR (not for LMTP, which has what it adds), LIMITS, 8BITMIME,
 * CHUNKING. An MSA_EHLO that begins with "=" is the whole list. NULL; or the name of a variable that does not say what
 * it must: a limit that cannot be read is not the same as none, so nothing can be served.
 */
const char *offer_from_facts(struct ehlo *e, const struct facts *f);

/* Our name in greeting, EHLO reply and Received: MSA_HOST, else the system's. Borrowed from f, or copied to buf. */
const char *offer_host(const struct facts *f, char *buf, size_t cap);

#endif
