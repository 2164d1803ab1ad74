/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_TCPRULES_H
#define MSA_TLSD_TCPRULES_H

#include "base/table.h"
#include "chain/facts.h"

/*
 * What tcprules(1) has made: who may connect, and variables for those who may. Of the keys that tcpserver knows, these
 * are looked for, the first that is there counts: the address; its beginnings that end with a dot (IPv4) or a colon
 * (IPv6), the longest first; the empty one. Names are never looked up, so rules for those never match.
 */
struct tcprules {
	struct table table;
};

/* Returns 0, or -1 with errno set (EPROTO: not a cdb file). */
int tcprules_open(struct tcprules *r, const char *path);

/* Open the file anew. Returns 0, or -1 with errno set; then the rules that were open stay. */
int tcprules_renew(struct tcprules *r);

/* Renew the rules if the file has changed. As tcprules_renew; a file that cannot be used is reported once. */
int tcprules_refresh(struct tcprules *r);

enum tcprules_result {
	TCPRULES_ALLOW,
	TCPRULES_DENY,
	TCPRULES_ERROR, /* the table is damaged, or no memory: errno */
};

/*
 * ip as ipaddr_text writes it, or NULL: not known, and only the empty key is looked for. Variables of the operator
 * (FACTS_OPERATOR: RELAYCLIENT, DATABYTES, MSA_X_* ...) are added to f, others passed over, as are those that say
 * who the peer is.
 */
enum tcprules_result tcprules_look(struct tcprules *r, const char *ip, struct facts *f);

void tcprules_close(struct tcprules *r);

#endif
