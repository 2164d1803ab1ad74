/* ISC licence, see LICENSE. */
#include "submit/rejectlog.h"

#include <stdio.h>

enum { FOREIGN = 255 };

_Static_assert((int)VERB_COUNT <= 256 && (int)REPLY_COUNT <= FOREIGN, "verbs and replies fit in an unsigned char");

/* class: an enum reply, or FOREIGN. */
static void
add(struct rejectlog *r, const struct call *call, enum verb v, int class, int code, const char *reason)
{
	const struct facts *f = &call->facts;
	char digits[12];
	unsigned i;

	for (i = 0; i < r->n && (r->seen[i].verb != v || r->seen[i].reply != class); i++)
		;
	if (i < r->n || r->n == REJECTLOG_LOGGED || !log_permit(&call->log)) {
		r->suppressed++;
		return;
	}
	r->seen[r->n].verb = (unsigned char)v;
	r->seen[r->n++].reply = (unsigned char)class;
	snprintf(digits, sizeof digits, "%d", code);
	log_event(&call->log, "rejected", "verb", verb_name(v), "code", digits, "reason", reason, "user",
	    facts_get(f, "SMTPAUTHUSER"), "ip", facts_get(f, "TCPREMOTEIP"), "tls", facts_get(f, "SSL_PROTOCOL"),
	    "cipher", facts_get(f, "SSL_CIPHER"), (char *)NULL);
}

void
rejectlog_add(struct rejectlog *r, const struct call *call, enum verb v, enum reply reply)
{
	add(r, call, v, (int)reply, reply_code(reply), reply_text(reply));
}

void
rejectlog_add_foreign(struct rejectlog *r, const struct call *call, enum verb v, const struct reply_foreign *reply)
{
	add(r, call, v, FOREIGN, reply->code, reply->text);
}

void
rejectlog_end(struct rejectlog *r, const struct call *call)
{
	char n[16];

	if (r->suppressed == 0)
		return;
	snprintf(n, sizeof n, "%u", r->suppressed);
	if (r->n > 0) /* otherwise the service's own line counts them */
		log_event(&call->log, "suppressed", "lines", n, (char *)NULL);
	r->suppressed = 0;
}
