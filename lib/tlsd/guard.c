/* ISC licence, see LICENSE. */
#include "tlsd/guard.h"

#include <errno.h>
#include <time.h>

#include "chain/limits.h"

int
guard_open(struct guard *g, const struct log *log)
{
	const char *why;
	int r = g->directory ? penalty_open(&g->penalty, g->directory, &why) : 0;
	bool misuse = r < 0 && (errno == EPERM || errno == EACCES || errno == ENOENT || errno == ENOTDIR || errno == EISDIR);

	if (r < 0)
		log_error(log, misuse ? "misuse" : "failed", "%s: %s", g->directory, why);
	else if (r > 0)
		log_event(log, "replaced", "reason", "the table of penalties was damaged", (char *)NULL);
	return r >= 0 ? CHAIN_DONE : misuse ? CHAIN_MISUSE : CHAIN_LATER;
}

void
guard_close(struct guard *g)
{
	penalty_close(&g->penalty);
}

bool
guard_applies(const struct guard *g, const struct ipaddr *ip)
{
	const struct endpoint e = { .ip = *ip };

	return g->penalty.table && !proxyhdr_trusted(&g->spared, &e);
}

const char *
guard_refuses(const struct guard *g, const struct ipaddr *ip)
{
	struct penalty_verdict v;

	penalty_look(&g->penalty, ip, time(NULL), &v);
	if (v.level < PENALTY_SHUT)
		return NULL;
	return v.blocked ? "blocked" : "too many wrong passwords";
}

void
guard_count(const struct guard *g, const struct ipaddr *ip, enum pump_fate fate)
{
	static const enum penalty_deed deeds[] = {
		[PUMP_STALLED] = PENALTY_STALLED,
		[PUMP_BROKEN] = PENALTY_BROKEN,
		[PUMP_UNPROVED] = PENALTY_NOTHING,
	};

	if (fate != PUMP_HARMLESS)
		penalty_add(&g->penalty, ip, deeds[fate], time(NULL));
}
