/* ISC licence, see LICENSE. */
#include "refusals.h"

#include <stdio.h>

_Static_assert((int)VERB_COUNT <= 256 && (int)REPLY_COUNT <= 256, "they fit in what a class is kept in");

void
refusals_add(struct refusals *r, const struct call *call, enum verb v, enum reply reply)
{
	const struct facts *f = &call->facts;
	char code[12];
	unsigned i;

	for (i = 0; i < r->n && (r->seen[i].verb != v || r->seen[i].reply != reply); i++)
		;
	if (i < r->n || r->n == REFUSALS_LOGGED || !log_permit(&call->log)) {
		r->suppressed++;
		return;
	}
	r->seen[r->n].verb = (unsigned char)v;
	r->seen[r->n++].reply = (unsigned char)reply;
	snprintf(code, sizeof code, "%d", reply_code(reply));
	log_event(&call->log, "rejected", "verb", verb_name(v), "code", code, "reason", reply_text(reply), "user",
	    facts_get(f, "SMTPAUTHUSER"), "ip", facts_get(f, "TCPREMOTEIP"), "tls", facts_get(f, "SSL_PROTOCOL"),
	    "cipher", facts_get(f, "SSL_CIPHER"), (char *)NULL);
}

void
refusals_end(struct refusals *r, const struct call *call)
{
	char n[16];

	if (r->suppressed == 0)
		return;
	snprintf(n, sizeof n, "%u", r->suppressed);
	if (r->n > 0) /* else the whole service's line counts it */
		log_event(&call->log, "suppressed", "lines", n, (char *)NULL);
	r->suppressed = 0;
}
