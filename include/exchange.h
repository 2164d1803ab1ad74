/* ISC licence, see LICENSE. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "facts.h"
#include "log.h"
#include "sasl.h"
#include "userdb.h"

/* How a step ended. */
enum exchange_result {
	EXCHANGE_CHALLENGE,    /* send the challenge, take the response to exchange_step */
	EXCHANGE_DONE,         /* authenticated: user, mech, label */
	EXCHANGE_REFUSED,      /* reason says why, for the log alone */
	EXCHANGE_SERVER_FIRST, /* there was an initial response, and the mechanism lets the server speak first */
	EXCHANGE_LATER,        /* nothing is known: the store, saslauthd, memory; reason says what */
};

/* One exchange, from AUTH to its reply. */
struct exchange {
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
 * behind it. facts: our name, whether there is TLS, and the peer's certificate. x must not move until exchange_end,
 * which is due whatever the result.
 */
enum exchange_result exchange_begin(struct exchange *x, struct sasl_service *s, const struct facts *facts,
    const struct log *log, const char *mech, size_t mech_len, const char *response, size_t len);

/* The peer's next response, decoded, a NUL behind it. */
enum exchange_result exchange_step(struct exchange *x, const char *response, size_t len);

/* user is a name: one in the store or the table (false without one: nobody can tell), and no slip of the peer's. */
bool exchange_is_known(const struct exchange *x);

void exchange_end(struct exchange *x); /* wipes what it held */

#endif
