/* ISC licence, see LICENSE. */
#ifndef ALIASES_H
#define ALIASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ares.h>

#include "msa/buf.h"
#include "smtp/addr.h"

/*
 * Domains that are aliases (CNAME, RFC 1034 3.6.2), and the names that they stand for: RFC 6409 8.7. A resolver is
 * asked through c-ares, over TCP: a process in its sandbox may connect to a port, and send nothing by UDP.
 */
enum {
	ALIASES_LISTED_MAX = 64, /* domains of options */
	ALIASES_ASKED_MAX = 64,  /* domains of one message */
	ALIASES_HOPS_MAX = 8,    /* aliases of aliases */
	ALIASES_WAIT_MS = 5000,  /* for all answers about one message */
};

/* Of the stage. */
struct aliases {
	const char *listed[ALIASES_LISTED_MAX]; /* borrowed; ".domain": the domains below */
	size_t nlisted;
	const char *server; /* of the option, "address" or "address:port"; NULL: those of /etc/resolv.conf */
	unsigned port;      /* of the resolver, once aliases_open was called */
	ares_channel channel; /* NULL: nothing is asked */
};

/* Get ready to ask. Returns 0, or -1 and *why, a constant text. Call aliases_close whatever the result. */
int aliases_open(struct aliases *a, const char **why);
void aliases_close(struct aliases *a);

/* Of a message: what was asked already. */
struct aliases_asked {
	const struct aliases *aliases;
	int64_t deadline_ms; /* clock_ms */
	struct alias {
		char domain[ADDR_DOMAIN_MAX + 1], name[ADDR_DOMAIN_MAX + 1]; /* equal: no alias, or no answer */
	} *v; /* owned */
	size_t n;
	struct buf failed; /* for the log: "domain:reason", separated by spaces */
};

/*
 * Find the name for which a domain stands. Returns the name, which is valid until the next call; or domain itself, if
 * it is not listed, is no alias, or if no good answer came: then a->failed has the reason. Returns NULL with errno set
 * (ENOMEM).
 */
const char *aliases_find(struct aliases_asked *a, const char *domain);

/* Keep for the log why a domain stays. Returns 0, or -1 with errno set (ENOMEM). */
int aliases_note(struct aliases_asked *a, const char *domain, const char *why);

void aliases_forget(struct aliases_asked *a);

#endif
