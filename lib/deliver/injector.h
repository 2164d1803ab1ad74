/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_INJECTOR_H
#define MSA_DELIVER_INJECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "deliver/client.h"
#include "net/nexthop.h"
#include "stage/instance.h"

/* A stage that delivers to a next hop: what lmtp-inject and smtp-inject have in common. */
enum { INJECTOR_HOPS_MAX = 16 };

struct injector {
	struct client_conf client;
	struct nexthop hop[INJECTOR_HOPS_MAX]; /* tried in this order */
	size_t nhops;
	struct buf envelope;     /* by hand; empty: in a chain */
	const char *credentials; /* the file's name; NULL: no AUTH */
	bool keywords;           /* print them, and nothing else */
	int wait_s;
	int keep_s;
	struct client session; /* resident: kept for the worker's next message; each worker is a process with its own */
	const char *sender;
	const char **rcpt; /* owned array */
	size_t nrcpt;
};

/*
 * The options that both injectors have:
 *   -a file -c cafile -F fingerprint -h name   AUTH and TLS
 *   -f sender -r recipient                     by hand
 *   -k -n -t seconds                           print keywords, only check, the time for it all
 */
#define INJECTOR_OPTIONS "a:c:F:f:h:knr:t:"
#define INJECTOR_USAGE "[-a credentials] [-c cafile] [-F fingerprint] [-f sender] [-h name] "

enum { INJECTOR_SECONDS_MAX = 86400 };

/* The functions of struct stage (stage.h) that both injectors share; conf is a struct injector. */
void injector_init(void *conf);
int injector_serve(struct call *call, void *conf);
int injector_reload(void *conf, const struct log *log);
void injector_idle(void *conf);
void injector_release(void *conf);

/* Take one of INJECTOR_OPTIONS. Returns 0, or -1 as struct stage's option does. */
int injector_option(struct injector *in, int letter, char *value, struct instance *i);

/* Take -i or -I: how long a session is kept for the next message. Returns 0, or -1 as struct stage's option does. */
int injector_keep(struct injector *in, int letter, const char *value, struct instance *i);

/*
 * All options are there: take the addresses, i's words (port: where they have none; NULL: they must have one), make the
 * envelope, and open the credentials. Returns 0, or -1 as struct stage's check does.
 */
int injector_check(struct injector *in, struct instance *i, const char *port);

#endif
