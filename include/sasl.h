/* ISC licence, see LICENSE. */
#ifndef MSA_SASL_H /* SASL_H is Cyrus's */
#define MSA_SASL_H

#include <sasl/sasl.h> /* Cyrus SASL; the only module that knows it */
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "facts.h"
#include "log.h"
#include "userdb.h"

/*
 * SASL exchanges, server side, over Cyrus SASL, against the embedded user store or whatever Cyrus is configured for.
 * No security layer and no anonymous user, ever. PLAIN and SCRAM are Cyrus's; LOGIN is ours, since Cyrus is dropping it.
 */
enum {
	SASL_MECHS_MAX = 255, /* characters of a list of mechanisms: what an EHLO line and struct ehlo hold */
	SASL_CALLBACKS = 8,
};

/* What all exchanges of a process share: Cyrus's library has one such state for each process. */
struct sasl_service {
	struct userdb *db;                  /* borrowed; NULL: Cyrus's own configuration */
	char mechs[SASL_MECHS_MAX + 1];     /* offered, in upper case, single spaces between */
	char *app, *dir;                    /* owned: name and directory of Cyrus's configuration; dir NULL: Cyrus's own */
	char trouble[128];                  /* what *why of sasl_service_open may point to */
	sasl_callback_t callbacks[SASL_CALLBACKS];
};

/*
 * Start Cyrus's library, without a look at the environment: SASL_PATH and SASL_CONF_PATH would let the caller choose what
 * code checks passwords. db: the store; its mechanisms are PLAIN, LOGIN and SCRAM-SHA-256, nothing that the system is
 * configured for counts. db NULL: Cyrus's configuration, named config ("smtpd": smtpd.conf where Cyrus looks for such; or the
 * file's path, with a slash, ending in .conf). mechs: NULL, or only these, in this order. s must not move afterwards.
 * 0, or -1 with *why, which lives as long as s.
 */
int sasl_service_open(struct sasl_service *s, struct userdb *db, const char *config, const char *mechs,
    const char **why);
void sasl_service_close(struct sasl_service *s);

/* mech, in any case, is one of those offered. */
bool sasl_service_offers(const struct sasl_service *s, const char *mech, size_t len);

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
	char label[USERDB_LABEL_MAX + 1];  /* which of the user's passwords it was; "" without the store */
	const char *challenge;             /* the next one, valid until the next step */
	size_t challenge_len;
	const char *reason;                /* a constant */
	bool asked;                        /* the store was asked, and said found */
	enum userdb_result found;
	bool has_login_user;               /* LOGIN: the next response is the password */
	struct buf login_user;
};

/*
 * Begin an exchange with mech (one that the service offers). response NULL: no initial response; else a NUL stands behind
 * it. facts: our name, and whether there is TLS. x must not move until exchange_end, which is due whatever the result.
 */
enum exchange_result exchange_begin(struct exchange *x, struct sasl_service *s, const struct facts *facts,
    const struct log *log, const char *mech, size_t mech_len, const char *response, size_t len);

/* The peer's next response, decoded, a NUL behind it. */
enum exchange_result exchange_step(struct exchange *x, const char *response, size_t len);

/* user is in the store (false without one: nobody can tell). */
bool exchange_is_known(const struct exchange *x);

void exchange_end(struct exchange *x); /* wipes what it held */

#endif
