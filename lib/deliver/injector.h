/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_INJECTOR_H
#define MSA_DELIVER_INJECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "deliver/client.h"
#include "deliver/starter.h"
#include "msa/buf.h"
#include "net/nexthop.h"
#include "stage/instance.h"

/* What lmtp-inject and smtp-inject have in common: a stage that delivers to a next hop. */
enum { INJECTOR_HOPS_MAX = 16 };

struct injector {
	struct client_conf client;
	struct nexthop hop[INJECTOR_HOPS_MAX]; /* in the order in which they are tried */
	size_t nhops;
	struct buf envelope;     /* made from options; empty: the call has one */
	const char *credentials; /* name of the file for saslc; NULL: no AUTH */
	const char *offers_path; /* the file for what the next hop offers (offerfile.h); NULL: none */
	int offers;              /* its descriptor; -1: none */
	bool keywords;           /* print the next hop's EHLO keywords and do nothing else */
	int wait_s;              /* the most that a delivery may take */
	int keep_s;              /* how long an unused session is kept; 0: none is kept */
	struct starter starter;  /* of this process; see client.starter */
	struct client session;   /* in a resident kept for the worker's next message; every worker has its own */
	const char *sender;      /* by hand; NULL: in a chain */
	const char **rcpt;       /* owned array of borrowed addresses */
	size_t nrcpt;
};

/*
 * The options that both injectors have:
 *   -a file -c cafile -F fingerprint -h name   AUTH and TLS
 *   -f sender -r recipient                     deliver by hand
 *   -k -n -t seconds                           print keywords; only check; the most that a delivery may take
 *   -o file                                    keep what the next hop offers in this file
 */
#define INJECTOR_OPTIONS "a:c:F:f:h:kno:r:t:"
#define INJECTOR_USAGE "[-a credentials] [-c cafile] [-F fingerprint] [-f sender] [-h name] "

enum { INJECTOR_SECONDS_MAX = 86400 };

/* The functions of struct stage (stage.h) that both injectors share; conf is a struct injector. */
void injector_init(void *conf);
void injector_claim(const void *conf, struct claims *c);
int injector_prepare(void *conf);
int injector_serve(struct call *call, void *conf);
int injector_reload(void *conf, const struct log *log);
void injector_idle(void *conf);
void injector_release(void *conf);
void injector_examine(const void *conf, struct instance *i);

/* Take one of INJECTOR_OPTIONS. Returns 0, or -1 as struct stage's option does. */
int injector_option(struct injector *in, int letter, char *value, struct instance *i);

/* Take -i or -I: how long an unused session is kept. Returns 0, or -1 as struct stage's option does. */
int injector_keep(struct injector *in, int letter, const char *value, struct instance *i);

/*
 * Called after all options: take the addresses of the next hops from i's words, make the envelope and open the
 * credentials. port: the default port (NULL: an address must have one). Returns 0, or -1 as struct stage's check does.
 */
int injector_check(struct injector *in, struct instance *i, const char *port);

#endif
