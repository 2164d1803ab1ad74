/* ISC licence, see LICENSE. */
#ifndef MSA_SASL_H /* SASL_H is Cyrus's */
#define MSA_SASL_H

#include <sasl/sasl.h> /* Cyrus SASL; only this module and exchange know it */
#include <stdbool.h>
#include <stddef.h>

#include "auth/userdb.h"
#include "base/table.h"
#include "chain/facts.h"

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

/*
 * For the exchanges (exchange.h).
 */

/* The mechanisms that are ours. */
extern const char sasl_login[], sasl_external[];

/* A function as Cyrus's lists of callbacks hold it. */
#define SASL_PROC(f) ((int (*)(void))(void (*)(void))(f))

/*
 * Cyrus's part of an exchange, for a server of that name; facts as of saslserver_begin, NULL: no peer. A result of
 * Cyrus's; sasl_dispose is due whatever it is.
 */
int sasl_conn_open(sasl_conn_t **conn, const char *host, const struct facts *facts, const sasl_callback_t *callbacks);

#endif
