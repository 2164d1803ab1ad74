/* ISC licence, see LICENSE. */
#include "guesses.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
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
	g->waited = false;
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

/* Wait as long as the worse of two verdicts says, once for each AUTH. Returns false if too many others wait. */
static bool
delay(struct guesses *g, int delay_ms)
{
	const struct penalty *p = &g->conf->penalty;
	int number;

	if (delay_ms < g->delay_ms)
		delay_ms = g->delay_ms;
	if (delay_ms == 0 || g->waited)
		return true;
	number = penalty_wait(p, delay_ms, g->conf->waiters, clock_ms());
	if (number < 0)
		return false;
	rest(g, delay_ms);
	penalty_waited(p, number);
	g->waited = true;
	return true;
}

bool
guesses_hold(struct guesses *g, const struct saslserver *x)
{
	const struct penalty *p = &g->conf->penalty;
	struct penalty_verdict v;
	int64_t now = time(NULL);
	bool over;

	if (!g->on || !*x->user || strcmp(x->mech, sasl_external) == 0) /* a certificate is no guess */
		return false;
	penalty_look(p, &g->peer, now, &v);
	over = v.level >= PENALTY_REFUSE;
	if (!over) {
		penalty_look_user(p, &g->peer, x->user, now, &v);
		over = v.level >= PENALTY_REFUSE;
	}
	if (over)
		say(g, &v, NULL);
	else if (x->is_proved)
		(void)delay(g, v.delay_ms); /* without room a right password does not wait */
	return over;
}

enum guesses_result
guesses_end(struct guesses *g, struct saslserver *x, enum saslserver_result r)
{
	const struct penalty *p = &g->conf->penalty;
	bool wrong = r == SASLSERVER_REFUSED;
	struct penalty_verdict v;
	int64_t now = time(NULL);
	bool others;

	if (!g->on || !x->is_guess)
		return GUESSES_ANSWER;
	penalty_look(p, &g->peer, now, &v);
	if (wrong)
		penalty_wrong(p, &g->peer, x->user, &x->check.proof, now);
	others = v.level >= PENALTY_REFUSE; /* of the address have used up what it may try meanwhile */
	if (!others)
		penalty_look_user(p, &g->peer, x->user, now, &v);
	if (v.level >= PENALTY_REFUSE) {
		say(g, &v, wrong || others ? NULL : x->user);
		saslserver_even_out(x); /* no time tells that the password was right */
		return GUESSES_REFUSE;
	}
	if (!wrong)
		penalty_right(p, &g->peer, x->user, now);
	return delay(g, v.delay_ms) ? GUESSES_ANSWER : GUESSES_END;
}

void
guesses_later(const struct guesses *g, const struct saslserver *x)
{
	if (g->on && saslserver_is_in_doubt(x))
		penalty_unsure(&g->conf->penalty, &g->peer, x->user, &x->check.proof, time(NULL));
}
