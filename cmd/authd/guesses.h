/* ISC licence, see LICENSE. */
#ifndef GUESSES_H
#define GUESSES_H

#include <stdbool.h>

#include "auth/saslserver.h"
#include "net/ipaddr.h"
#include "stage/call.h"

struct authd;

/* What the table of auth/penalty.h has to do with one session. Nothing, if there is no table or no address. */
struct guesses {
	const struct authd *conf;
	struct call *call;
	bool on;
	struct ipaddr peer;
	int delay_ms; /* of the answer to the AUTH in hand, whatever it is */
	bool waited;  /* this answer was delayed already */
};

void guesses_open(struct guesses *g, const struct authd *conf, struct call *call);

/* Returns true if the address may try no password now; logged. Otherwise delay_ms is set. */
bool guesses_refuse(struct guesses *g);

/*
 * A challenge is to be sent. Once the user's name is known, returns true if the session ends in its place, for the
 * reasons of GUESSES_REFUSE; logged. A challenge that tells whether a proof was right waits as the answer would.
 */
bool guesses_hold(struct guesses *g, const struct saslserver *x);

enum guesses_result {
	GUESSES_ANSWER,  /* send the answer */
	GUESSES_REFUSE,  /* end the session in place of any answer: the address guesses in other sessions, or the user is
	                  * being guessed, and this is no net of the user's. Logged */
	GUESSES_END,     /* send the answer, and end the session if it is a refusal: others wait already */
};

/*
 * An exchange with a password has ended with r, SASLSERVER_DONE or SASLSERVER_REFUSED: count it, and wait. A right
 * password waits as long as a wrong one, so that who waits no longer learns nothing.
 */
enum guesses_result guesses_end(struct guesses *g, struct saslserver *x, enum saslserver_result r);

/* An exchange has ended with SASLSERVER_LATER. */
void guesses_later(const struct guesses *g, const struct saslserver *x);

#endif
