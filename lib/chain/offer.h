/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_OFFER_H
#define MSA_CHAIN_OFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "chain/facts.h"
#include "smtp/ehlo.h"

/*
 * Fill e with the keywords that the chain offers. Some need no next hop; SIZE has its limit from DATABYTES, LIMITS
 * from MSA_MAILMAX, NO-SOLICITING its words from MSA_SOLICIT. Keywords that need the next hop come from MSA_EHLO (EHLO
 * lines, separated by LF or comma). If none of these variables is set: PIPELINING, ENHANCEDSTATUSCODES, SIZE, PRDR
 * (not for LMTP, which has per-recipient replies anyway), LIMITS, 8BITMIME, CHUNKING. If MSA_EHLO begins with "=", it
 * is the whole list. Returns NULL, or the name of a variable with an invalid value. Then do not serve: an invalid
 * limit does not mean that there is no limit.
 */
const char *offer_from_facts(struct ehlo *e, const struct facts *f);

/* The same; a variable that cannot be used is logged as misuse. Returns 0, or -1: nothing can be served. */
int offer_or_log(struct ehlo *e, const struct facts *f, const struct log *log);

/*
 * For the first stage of a session. If MSA_EHLO begins with "@" and the name of a file (offerfile.h), put the file's
 * keywords in its place, so that all stages of the session offer the same. A file that cannot be used is logged and
 * has no keywords. Returns 0, or -1 with errno set (ENOMEM).
 */
int offer_learn(struct facts *f, const struct log *log);

/*
 * Read what the next hop offers now into *caps (CAP_*): list is keywords, or "@" and the name of a file that has them
 * (offerfile.h), or NULL (then *caps stays). A file that cannot be used is logged and has no keywords.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int offer_of_next_hop(uint32_t *caps, const char *list, const struct log *log);

/*
 * Returns our name for greeting, EHLO reply and Received: MSA_HOST, borrowed from f, otherwise the system's name,
 * copied to buf.
 */
const char *offer_host(const struct facts *f, char *buf, size_t cap);

#endif
