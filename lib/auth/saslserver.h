/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_SASLSERVER_H
#define MSA_AUTH_SASLSERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/oauth.h"
#include "auth/sasl.h"
#include "auth/userdb.h"
#include "base/log.h"
#include "chain/facts.h"
#include "msa/buf.h"

/* How a step of an exchange ended. */
enum saslserver_result {
	SASLSERVER_CHALLENGE,    /* send the challenge, then pass the response to saslserver_step */
	SASLSERVER_DONE,         /* authenticated; user, mech and check.label are set */
	SASLSERVER_REFUSED,      /* reason is set, for the log only; if is_last, send the challenge before the reply */
	SASLSERVER_SERVER_FIRST, /* an initial response came, but in this mechanism the server speaks first */
	SASLSERVER_LATER,        /* a failure of the store, of saslauthd or of memory, which reason names: nothing is known */
};

/* One exchange, from the AUTH command to its reply. */
struct saslserver {
	struct sasl_service *service;
	const struct log *log;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[SASL_CALLBACKS];
	char mech[SASL_MECHS_MAX + 1];     /* in upper case */
	char user[USERDB_NAME_MAX + 1];    /* the name that the peer gave, in canonical form; "" if unknown (yet) */
	bool is_completed;                 /* a name had no domain, and got the realm's */
	struct sasl_check check;           /* with EXTERNAL, check.label is the certificate's hash */
	const char *challenge;             /* the next one, valid until the next step */
	size_t challenge_len;
	bool is_last;                      /* after REFUSED: it says why, and the response to it means nothing */
	bool is_proved;                    /* the peer's name came before its last response: the next challenge may tell that
	                                      the response was right, as SCRAM's does */
	bool takes_empty;                  /* an empty response to it is valid: EXTERNAL */
	const char *reason;                /* a constant */
	bool is_guess;                     /* after DONE or REFUSED: a proof of a password was judged */
	bool has_login_user;               /* LOGIN: the next response is the password */
	struct buf login_user;
	char error[OAUTH_ERROR_MAX];       /* of a refused token */
};

/*
 * Begin an exchange with mech, which the service offers. response: the decoded initial response with a NUL after it, or
 * NULL. facts: our name, whether there is TLS, and the peer's certificate. x must not move until saslserver_end, which
 * must be called whatever the result.
 */
enum saslserver_result saslserver_begin(struct saslserver *x, struct sasl_service *s, const struct facts *facts,
    const struct log *log, const char *mech, size_t mech_len, const char *response, size_t len);

/* Take the peer's next response, decoded, with a NUL after it. */
enum saslserver_result saslserver_step(struct saslserver *x, const char *response, size_t len);

/* Refuse a user who was authenticated. reason: a constant. */
enum saslserver_result saslserver_refuse(struct saslserver *x, const char *reason);

/*
 * A password is refused, even a right one, or the back end did not answer. That takes the same time whatever the store
 * and the cache have: compute the slow hashes that were not.
 */
void saslserver_even_out(struct saslserver *x);

/*
 * Returns true if user is known to be a name, because the store or the certificate table has it. false: it may be
 * anything, such as a password in the wrong place.
 */
bool saslserver_is_known(const struct saslserver *x);

/* Returns true after LATER if the store does not have the password, and the back end could not be asked. */
bool saslserver_is_in_doubt(const struct saslserver *x);

/* Free and wipe x. */
void saslserver_end(struct saslserver *x);

#endif
