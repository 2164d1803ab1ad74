/* ISC licence, see LICENSE. */
#ifndef MSA_SASL_H /* SASL_H is Cyrus's */
#define MSA_SASL_H

#include <sasl/sasl.h> /* Cyrus SASL; the only module that knows it */
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "external.h"
#include "facts.h"
#include "log.h"
#include "table.h"
#include "userdb.h"

/*
 * SASL exchanges, server side, over Cyrus SASL, against the embedded user store or whatever Cyrus is configured for.
 * No security layer and no anonymous user, ever. PLAIN and SCRAM are Cyrus's; LOGIN is ours, since Cyrus is dropping
 * it, and EXTERNAL.
 */
enum {
	SASL_MECHS_MAX = 255, /* characters of a list of mechanisms: what an EHLO line and struct ehlo hold */
	SASL_CALLBACKS = 8,
};

/* What all exchanges of a process share: Cyrus's library has one such state for each process. */
struct sasl_service {
	struct userdb *db;                  /* borrowed; NULL: Cyrus's own configuration */
	struct table *certs;                /* borrowed, what external.h tells; NULL: no EXTERNAL */
	char mechs[SASL_MECHS_MAX + 1];     /* all there are, in upper case, single spaces between */
	char *app, *dir;                    /* owned: name and directory of Cyrus's configuration; dir NULL: Cyrus's own */
	char trouble[128];                  /* what *why of sasl_service_open may point to */
	sasl_callback_t callbacks[SASL_CALLBACKS];
};

/*
 * Start Cyrus's library, without a look at the environment: SASL_PATH and SASL_CONF_PATH would let the caller choose
 * what code checks passwords. db: the store; its mechanisms are PLAIN, LOGIN and SCRAM-SHA-256, nothing that the
 * system is configured for counts. db NULL: Cyrus's configuration, named config ("smtpd": smtpd.conf where Cyrus
 * looks for such; or the file's path, with a slash, ending in .conf). certs: NULL, or the table that makes EXTERNAL one
 * of the mechanisms, the last if mechs does not say where. mechs: NULL, or of the others only these, in this order. s
 * must not move afterwards. 0, or -1 with *why, which lives as long as s.
 */
int sasl_service_open(struct sasl_service *s, struct userdb *db, struct table *certs, const char *config,
    const char *mechs, const char **why);
void sasl_service_close(struct sasl_service *s);

/*
 * The mechanisms that a peer of whom we know this is offered, in list, which has room for SASL_MECHS_MAX + 1; it may be
 * "". EXTERNAL is one of them for a peer with a certificate of the table's, or where the table cannot tell.
 */
void sasl_service_list(const struct sasl_service *s, const struct facts *facts, char *list);

/* mech, in any case, is one of these. */
bool sasl_service_offers(const struct sasl_service *s, const struct facts *facts, const char *mech, size_t len);

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
