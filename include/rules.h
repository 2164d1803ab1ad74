/* ISC licence, see LICENSE. */
#ifndef RULES_H
#define RULES_H

#include "facts.h"
#include "table.h"

/*
 * What tcprules(1) has made: who may connect, and variables for those who may. Of the keys that tcpserver knows, these
 * are looked for, the first that is there counts: the address; its beginnings that end with a dot (IPv4) or a colon
 * (IPv6), the longest first; the empty one. Names are never looked up, so rules for those never match.
 */
struct rules {
	struct table table;
};

/* 0, or -1 with errno. */
int rules_open(struct rules *r, const char *path);

/* Open the file anew if it is another one by now. 1: done; 0: no need, or told before; -1, errno: the old is kept. */
int rules_refresh(struct rules *r);

enum rules_result {
	RULES_ALLOW,
	RULES_DENY,
	RULES_ERROR, /* the table is damaged, or no memory: errno */
};

/*
 * ip as endpoint_ip writes it, or NULL: not known, and only the empty key is looked for. Variables of the operator
 * (FACTS_OPERATOR: RELAYCLIENT, DATABYTES, MSA_X_* ...) are added to f, others passed over, as are those that say
 * who the peer is.
 */
enum rules_result rules_look(struct rules *r, const char *ip, struct facts *f);

void rules_close(struct rules *r);

#endif
