/* ISC licence, see LICENSE. */
#include "kind.h"

#include <stddef.h>

bool
kind_is_one_of(const struct logline_text *t, const char *const *words)
{
	while (*words && !logline_is(t, *words))
		words++;
	return *words != NULL;
}

/* The stages that answer for a whole message. */
static bool
answers(const struct logline_text *stage)
{
	static const char *const stages[] = { "submitd", "submit", "msa-sendmail", NULL };

	return kind_is_one_of(stage, stages);
}

bool
kind_is_client_stage(const struct logline_text *stage)
{
	return answers(stage) || logline_is(stage, "authd") || logline_is(stage, "tlsd");
}

/* The kinds that the event alone tells. */
static enum kind
by_event(const struct logline *l)
{
	static const struct {
		const char *event;
		enum kind kind;
	} events[] = {
		{ "rejected", KIND_REJECTED },
		{ "handshake", KIND_HANDSHAKE },
		{ "penalty", KIND_PENALTY },
		{ "suppressed", KIND_SUPPRESSED },
	};
	size_t i;

	for (i = 0; i < sizeof events / sizeof *events; i++)
		if (logline_is(&l->event, events[i].event))
			return events[i].kind;
	return KIND_OTHER;
}

enum kind
kind_of(const struct logline *l)
{
	static const char *const messages[] = { "accepted", "mixed", "refused", NULL };
	static const char *const logins[] = { "authenticated", "refused", "failed", NULL };
	static const char *const fates[] = { "reached", "spooled", "refused", "copy", "deferred", "expired", "cancelled",
		NULL };
	enum kind kind = by_event(l);
	bool done = logline_is(&l->event, "done");

	if (kind != KIND_OTHER)
		return kind;
	if (done && logline_is(&l->stage, "tlsd"))
		return KIND_SESSION;
	if (answers(&l->stage) && kind_is_one_of(&l->event, messages))
		return KIND_MESSAGE;
	if (logline_is(&l->stage, "authd") && kind_is_one_of(&l->event, logins) && logline_get(l, "mech"))
		return KIND_LOGIN;
	if (!logline_get(l, "to")) /* with "to", a recipient's line is that of a server that judges */
		return kind_is_one_of(&l->event, fates) && (logline_get(l, "rcpt") || logline_get(l, "reply")) ? KIND_RECIPIENT :
		    KIND_OTHER;
	if (done && logline_get(l, "code"))
		return KIND_DELIVERY;
	return logline_is(&l->event, "failed") && logline_get(l, "at") ? KIND_FAILURE : KIND_OTHER;
}
