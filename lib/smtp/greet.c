/* ISC licence, see LICENSE. */
#include "smtp/greet.h"

int
greet_banner(struct buf *out, const char *host, bool lmtp)
{
	return buf_printf(out, "220 %s %s\r\n", host, lmtp ? "LMTP" : "ESMTP");
}

int
greet_hello(struct buf *out, enum verb v, const struct ehlo *offer, const char *host)
{
	return v == VERB_HELO ? buf_printf(out, "250 %s\r\n", host) : ehlo_reply(out, offer, host);
}
