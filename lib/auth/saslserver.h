/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_SASLSERVER_H
#define MSA_AUTH_SASLSERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/sasl.h"
#include "auth/userdb.h"
#include "base/buf.h"
#include "base/log.h"
#include "chain/facts.h"

/* How a step ended. */
enum saslserver_result {
	SASLSERVER_CHALLENGE,    /* send the challenge, take the response to saslserver_step */
	SASLSERVER_DONE,         /* authenticated: user, mech, label */
	SASLSERVER_REFUSED,      /* reason says why, for the log alone */
	SASLSERVER_SERVER_FIRST, /* there was an initial response, and the mechanism lets the server speak first */
	SASLSERVER_LATER,        /* nothing is known: the store, saslauthd, memory; reason says what */
};

/* One exchange, from AUTH to its reply. */
struct saslserver {
	struct sasl_service *service;
	const struct log *log;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[SASL_CALLBACKS];
	char mech[SASL_MECHS_MAX + 1];     /* in upper case */
	char user[USERDB_NAME_MAX + 1];    /* whom the peer says it is, canonical; "" where that is not known (yet) */
	char label[USERDB_LABEL_MAX + 1];  /* which of the user's passwords, or certificates, it was; "" where unknown */
	const char *challenge;             /* the next one, valid until the next step */
	size_t challenge_len;
	bool takes_empty;                  /* and an empty response to it says something: EXTERNAL's */
	const char *reason;                /* a constant */
	bool asked;                        /* the store was asked, and said found */
	enum userdb_result found;
	bool has_login_user;               /* LOGIN: the next response is the password */
	struct buf login_user;
};

/*
 * Begin an exchange with mech (one that the service offers). response NULL: no initial response; else a NUL stands
 * behind it. facts: our name, whether there is TLS, and the peer's certificate. x must not move until saslserver_end,
 * which is due whatever the result.
 */
enum saslserver_result saslserver_begin(struct saslserver *x, struct sasl_service *s, const struct facts *facts,
    const struct log *log, const char *mech, size_t mech_len, const char *response, size_t len);

/* The peer's next response, decoded, a NUL behind it. */
enum saslserver_result saslserver_step(struct saslserver *x, const char *response, size_t len);

/* user is a name: one in the store or the table (false without one: nobody can tell), and no slip of the peer's. */
bool saslserver_is_known(const struct saslserver *x);

void saslserver_end(struct saslserver *x); /* wipes what it held */

#endif
