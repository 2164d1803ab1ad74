/* ISC licence, see LICENSE. */
#ifndef MSA_SASL_H /* SASL_H is Cyrus's */
#define MSA_SASL_H

#include <sasl/sasl.h> /* Cyrus SASL; only this module and saslserver use it */
#include <stdbool.h>
#include <stddef.h>

#include "auth/backend.h"
#include "auth/passcache.h"
#include "auth/penalty.h"
#include "auth/userdb.h"
#include "base/table.h"
#include "chain/facts.h"

/*
 * The server side of SASL on Cyrus SASL, with our own user store or with the backend that Cyrus is configured for.
 * Never a security layer, never the anonymous user. Cyrus implements PLAIN and SCRAM. LOGIN is ours, because Cyrus is
 * dropping it, and EXTERNAL is ours too.
 */
enum {
	SASL_MECHS_MAX = 255, /* characters of a list of mechanisms: as many as struct ehlo holds */
	SASL_CALLBACKS = 8,
};

/* What all exchanges of a process share. Cyrus's library keeps one state for each process, so there is one of these. */
struct sasl_service {
	struct userdb *db;                  /* borrowed; NULL: no store */
	const struct backend *backend;      /* borrowed; NULL: none of ours */
	struct passcache *cache;            /* borrowed; NULL: none */
	struct table *certs;                /* borrowed, see certmap.h; NULL: no EXTERNAL */
	const char *realm;                  /* borrowed; the domain of users whose names have none; NULL: none */
	bool only_realm;                    /* and nobody has a name with another domain */
	const struct penalty *penalty;      /* borrowed; set by the caller after sasl_service_open; NULL: no proofs */
	const struct oauth_conf *oauth;     /* borrowed; NULL: no tokens */
	char mechs[SASL_MECHS_MAX + 1];     /* all mechanisms, in upper case, single spaces between */
	char *app, *dir;                    /* owned: name and directory of Cyrus's configuration; dir NULL: Cyrus's default;
	                                       app NULL: no configuration and no back end of Cyrus */
	char trouble[128];                  /* storage for *why of sasl_service_open */
	sasl_callback_t callbacks[SASL_CALLBACKS];
};

/* Tokens of OAuth, for OAUTHBEARER and XOAUTH2. All is borrowed. */
struct oauth_conf {
	char *const *program;     /* the words of the verifier, see checkpassword.h */
	const char *scope, *url;  /* NULL, or what the error of a refused client names, see oauth.h */
};

/* What a service is made of. All is borrowed. */
struct sasl_conf {
	struct userdb *db;    /* the user store, with PLAIN, LOGIN and SCRAM-SHA-256; with other hashes if mechs names them */
	const struct backend *backend; /* with PLAIN and LOGIN; beside db it is asked about passwords that db does not have */
	const char *config;   /* the same with Cyrus: its configuration's name ("smtpd": smtpd.conf in Cyrus's directories), or
	                         the path of a file, which has a slash and ends in .conf. NULL: the system's SASL configuration
	                         does not count */
	struct table *certs;  /* NULL, or the table that adds EXTERNAL; the last mechanism if mechs does not name it */
	const struct oauth_conf *oauth; /* NULL, or what adds OAUTHBEARER and XOAUTH2, in the same way, before EXTERNAL */
	const char *mechs;    /* NULL: all mechanisms; or those to offer, in this order */
	const char *realm;    /* NULL, or the domain of a user whose name has none */
	bool only_realm;      /* nobody has a name with another domain than realm, which is set then */
	struct passcache *cache; /* NULL, or what remembers which passwords db had */
};

/*
 * Start Cyrus's library. At least one of db, backend, config and oauth is set, but not both backend and config. The
 * library does not see SASL_PATH and SASL_CONF_PATH of the environment, which would let the caller choose the code that
 * checks passwords. s must not move afterwards.
 * Returns 0, or -1 with *why set to a text that lives as long as s.
 */
int sasl_service_open(struct sasl_service *s, const struct sasl_conf *conf, const char **why);
void sasl_service_close(struct sasl_service *s);

/*
 * Write the mechanisms to offer to the peer with these facts into list, which has room for SASL_MECHS_MAX + 1; "" if
 * there are none. EXTERNAL is among them if the peer's certificate is in the table, or if the table cannot be read.
 * OAUTHBEARER and XOAUTH2 are if there is TLS.
 */
void sasl_service_list(const struct sasl_service *s, const struct facts *facts, char *list);

/* Returns true if mech, in any case, is one of the mechanisms of sasl_service_list. */
bool sasl_service_offers(const struct sasl_service *s, const struct facts *facts, const char *mech, size_t len);

/*
 * For saslserver only.
 */

/* The names of the mechanisms that we implement. */
extern const char sasl_login[], sasl_external[], sasl_oauthbearer[], sasl_xoauth2[];

/*
 * What our store, and our back end after it, answered about the user of one exchange. This is the context of the
 * callback SASL_CB_SERVER_USERDB_CHECKPASS, where our plugin finds it too.
 */
struct sasl_check {
	struct userdb *db;                /* borrowed; NULL: no store */
	const struct backend *backend;    /* borrowed; NULL: none of ours */
	const struct penalty *penalty;    /* borrowed; NULL: no proof is wanted */
	struct penalty_proof proof;       /* what tells the password of PLAIN or LOGIN from others */
	struct passcache *cache;          /* borrowed; NULL: none */
	const struct facts *facts;        /* borrowed, as log is; for the back end */
	const struct log *log;
	const struct credential_hash *hash; /* of SCRAM; NULL: another mechanism */
	bool asked;                       /* the store was asked, or else the back end, and found is the answer */
	unsigned due;                     /* slow hashes that the store would have computed for another user */
	bool unanswered;                  /* the back end did not answer, and found is USERDB_ERROR */
	enum userdb_result found;
	char label[USERDB_LABEL_MAX + 1]; /* of the password that was right; "" if unknown */
};

/* A function pointer of the type that Cyrus's callback lists have. */
#define SASL_PROC(f) ((int (*)(void))(void (*)(void))(f))

/*
 * Create Cyrus's part of an exchange. host: our name; facts: as in saslserver_begin, NULL: no peer. Returns a result
 * code of Cyrus. Call sasl_dispose afterwards in any case.
 */
int sasl_conn_open(sasl_conn_t **conn, const char *host, const struct facts *facts, const sasl_callback_t *callbacks);

#endif
