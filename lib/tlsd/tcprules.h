/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_TCPRULES_H
#define MSA_TLSD_TCPRULES_H

#include "base/table.h"
#include "chain/facts.h"

/*
 * The table of tcprules(1): the clients that may connect, and variables for them. The first of these keys that exists
 * decides: the address; its prefixes that end with a dot (IPv4) or a colon (IPv6), the longest first; the empty key.
 * tcpserver's keys with names never match, because no name is looked up.
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
	TCPRULES_ERROR, /* errno is set (EPROTO: the table is damaged; ENOMEM) */
};

/*
 * Look up ip, in the form of ipaddr_text; NULL (unknown): only the empty key is looked for. The operator's variables
 * (FACTS_OPERATOR: RELAYCLIENT, DATABYTES, MSA_X_* ...) are added to f. Other variables are ignored, and so are those
 * that describe the peer.
 */
enum tcprules_result tcprules_look(struct tcprules *r, const char *ip, struct facts *f);

/*
 * The members of struct usertable for this table, whose keys may have capital letters: bad, what, and is_bad_key. A
 * value that tcprules_look would ignore is invalid too: it does not do what somebody has meant.
 */
const char *tcprules_bad(const char *value, size_t n, size_t *len);
bool tcprules_is_bad_key(const char *key, size_t n);
#define TCPRULES_ITEM "neither a refusal nor a variable that rules can set"

void tcprules_close(struct tcprules *r);

#endif
