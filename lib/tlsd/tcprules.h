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

/* 0, or -1 with errno. */
int tcprules_open(struct tcprules *r, const char *path);

/* Open the file anew if it is another one by now. 1: done; 0: no need, or told before; -1, errno: the old is kept. */
int tcprules_refresh(struct tcprules *r);

enum tcprules_result {
	TCPRULES_ALLOW,
	TCPRULES_DENY,
	TCPRULES_ERROR, /* the table is damaged, or no memory: errno */
};

/*
 * ip as endpoint_ip writes it, or NULL: not known, and only the empty key is looked for. Variables of the operator
 * (FACTS_OPERATOR: RELAYCLIENT, DATABYTES, MSA_X_* ...) are added to f, others passed over, as are those that say
 * who the peer is.
 */
enum tcprules_result tcprules_look(struct tcprules *r, const char *ip, struct facts *f);

void tcprules_close(struct tcprules *r);

#endif
