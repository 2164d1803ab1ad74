/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_GREET_H
#define MSA_SMTP_GREET_H

#include <stdbool.h>

#include "msa/buf.h"
#include "smtp/ehlo.h"
#include "smtp/verb.h"

/* The first replies of a server, the same from every stage. host: our own name. */

/* Append the greeting, "220 host ESMTP" or "220 host LMTP". Returns 0, or -1 with errno set (ENOMEM). */
int greet_banner(struct buf *out, const char *host, bool lmtp);

/* Append the reply to EHLO or LHLO, which lists what offer has, or to HELO, which lists nothing. Returns as above. */
int greet_hello(struct buf *out, enum verb v, const struct ehlo *offer, const char *host);

#endif
