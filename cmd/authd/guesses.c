/* ISC licence, see LICENSE. */
#include "guesses.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "dialogue.h"

void
guesses_open(struct guesses *g, const struct authd *conf, struct call *call)
{
	const char *ip = facts_get(&call->facts, "TCPREMOTEIP");
	struct endpoint e = { .port = 0 };

	*g = (struct guesses){ .conf = conf, .call = call };
	if (!conf->penalty.table || !ip || ipaddr_parse_zoned(&e.ip, ip) < 0)
		return;
	g->peer = e.ip;
	g->on = !proxyhdr_trusted(&conf->spared, &e);
}

/* user NULL: the verdict is about the address. */
static void
say(const struct guesses *g, const struct penalty_verdict *v, const char *user)
{
	char score[12];

	if (!log_permit(&g->call->log))
		return;
	snprintf(score, sizeof score, "%u", v->score);
	log_event(&g->call->log, "penalty", "reason", v->blocked ? "blocked" : "too many wrong passwords", "net",
	    *v->net ? v->net : NULL, "user", user, "failures", v->blocked ? NULL : score, "ip",
	    facts_get(&g->call->facts, "TCPREMOTEIP"), (char *)NULL);
}

bool
guesses_refuse(struct guesses *g)
{
	struct penalty_verdict v;

	if (!g->on)
		return false;
	penalty_look(&g->conf->penalty, &g->peer, time(NULL), &v);
	g->delay_ms = v.delay_ms;
	if (v.level < PENALTY_REFUSE)
		return false;
	say(g, &v, NULL);
	return true;
}

/* Wait, unless the service ends. */
static void
rest(const struct guesses *g, int ms)
{
	struct pollfd f = { .fd = g->call->stop, .events = POLLIN };
	int64_t end_ms = clock_ms() + ms;

	while (clock_left(end_ms) > 0 && poll(&f, 1, clock_left(end_ms)) <= 0)
		;
}

enum guesses_result
guesses_end(struct guesses *g, const struct saslserver *x, enum saslserver_result r)
{
	const struct penalty *p = &g->conf->penalty;
	bool wrong = r == SASLSERVER_REFUSED;
	struct penalty_verdict v;
	int64_t now = time(NULL);
	int number;

	if (!g->on || !x->is_guess)
		return GUESSES_ANSWER;
	penalty_look(p, &g->peer, now, &v);
	if (wrong)
		penalty_wrong(p, &g->peer, x->user, &x->check.proof, now);
	if (v.level >= PENALTY_REFUSE) { /* other sessions of the address have used up what it may try meanwhile */
		say(g, &v, NULL);
		return GUESSES_REFUSE;
	}
	penalty_look_user(p, &g->peer, x->user, now, &v);
	if (v.level >= PENALTY_REFUSE) {
		say(g, &v, wrong ? NULL : x->user);
		return GUESSES_REFUSE;
	}
	if (!wrong)
		penalty_right(p, &g->peer, x->user, now);
	if (v.delay_ms < g->delay_ms)
		v.delay_ms = g->delay_ms;
	if (v.delay_ms == 0)
		return GUESSES_ANSWER;
	number = penalty_wait(p, v.delay_ms, g->conf->waiters, clock_ms());
	if (number < 0)
		return GUESSES_END;
	rest(g, v.delay_ms);
	penalty_waited(p, number);
	return GUESSES_ANSWER;
}
