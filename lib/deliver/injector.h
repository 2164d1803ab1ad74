/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_INJECTOR_H
#define MSA_DELIVER_INJECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "deliver/client.h"
#include "net/nexthop.h"
#include "stage/ready.h"

/* A stage that delivers to a next hop: what lmtp-inject and smtp-inject have in common. */
enum { INJECTOR_HOPS_MAX = 16 };

struct injector {
	const char *name;
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
	char **rcpt; /* owned */
	size_t nrcpt;
};

/*
 * The options that both have, of which main has the others:
 *   -a file -c cafile -F fingerprint -h name   AUTH and TLS
 *   -f sender -r recipient                     by hand
 *   -k -n -t seconds                           keywords, check only, the time for it all
 */
#define INJECTOR_OPTIONS "a:c:F:f:h:knr:t:"
#define INJECTOR_USAGE "[-a credentials] [-c cafile] [-F fingerprint] [-f sender] [-h name] "

/* What is in r from here on, with the defaults. argc: how many recipients there can be. NULL with errno ENOMEM. */
struct injector *injector_open(struct ready *r, const char *name, int argc);
int injector_option(struct injector *in, int letter, char *value); /* 0; or -1: none of them */
int injector_seconds(const char *s); /* from 0 to 86400; -1: s is something else */

/*
 * All options are there: take the n addresses (port: where they have none; NULL: they must), make the envelope, open
 * the credentials, and r is ready. 0; or -1: it is misuse, and standard error was told what is wrong where that is not
 * plain.
 */
int injector_check(struct ready *r, char *const address[], size_t n, const char *port);

#endif
